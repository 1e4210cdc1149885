#pragma once

#include <memory>

#include "attest/trust_policy.hpp"
#include "cluster/index_memory.hpp"
#include "deploy/deployment_status.hpp"
#include "oci/reference.hpp"
#include "oci/store.hpp"
#include "options.hpp"

namespace deploy_step {

/// What is to be deployed, as the options say it.
struct Order {
  const Options& options;
  capsule::oci::Reference reference;  ///< with a digest
  capsule::json::Value parameters;    ///< an object
  capsule::fs::Path state;
  capsule::attest::TrustPolicy trust;
  std::shared_ptr<capsule::cluster::IndexMemory> index{};  ///< by which a capsule:// URI was looked up, for a cluster
};

/// A capsule:// URI is looked up in its index, and a tag by a plan, which says what it found. `ns`: of Options::target,
/// as cluster::namespace_of_target() has it. Error usage for what is neither that nor a reference with a digest, or for
/// no parameters; those of attest::find_trust and resolve::resolve.
Order read_order(const Options& options, const std::optional<std::string>& ns, capsule::step::Context& step);

/// Holds the index by which the URI was looked up, here or by download, against what the object has seen of it;
/// `object` null: there is none. Nothing where there was no URI. Error verification_failed: it is older, or does not go
/// on from that.
void require_index_goes_on(const Order& order, const capsule::json::Value* object, capsule::log::Progress& progress);

/// Says in the object by which index the URI was looked up, so that the next pod is not served an older one. Nothing
/// where there was no URI.
void note_index(const Order& order, capsule::json::Object& object);

/// Error verification_failed where the capsule calls itself otherwise than its reference does.
void require_name(const capsule::Manifest& manifest, const capsule::oci::Reference& reference);

/// The version index as what a run record refers to.
capsule::oci::Descriptor subject_of(capsule::oci::Store& store, const capsule::Digest& index);

/// Of a reference, or of a name alone.
std::string name_in(const std::string& text);

/// "warm" or "cold", as a run record says.
std::string start_in(const std::string& record);

/// What a run record in that store says of its run. Errors not_found, invalid_input.
capsule::deploy::RecordedRun recorded_run(capsule::oci::Store& store, const capsule::Digest& record);

/// "a,b"
std::string joined(const std::vector<std::string>& texts);

}  // namespace deploy_step
