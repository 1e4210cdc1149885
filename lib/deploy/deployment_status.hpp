#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "json/value.hpp"

namespace capsule::deploy {

/// What register knows of a proof when it has checked it.
struct ProofOfRun {
  Digest capsule;
  Digest run_record;
  std::string proof_id;
  Digest bundle;
  std::vector<std::pair<std::string, Digest>> anchors;  ///< chain, and the receipt's digest
  std::string proof_hash{};                             ///< may be empty
  std::string utid{};                                   ///< of who asked for the proof; may be empty
};

/// A run as its record has it.
struct RecordedRun {
  std::string run_id;
  Digest record;
  std::string start;  ///< warm or cold
  std::string node;
  std::string time;  ///< when it ended
};

/// What a condition says (Kubernetes API conventions, "Typical status properties").
struct Condition {
  std::string_view type;
  bool holds = false;
  std::string_view reason;  ///< one word, CamelCase
  std::string message{};
};

/// The object that is the member `name`; made where there is none.
json::Object& member(json::Object& object, std::string_view name);

/// spec of the ProofedDeployment object (infra.industriverse.ai/v1) of a capsule that is published as `image`.
json::Object proofed_spec(const Manifest& manifest, const Digest& capsule, const std::string& image);

/// The status of a ProofedDeployment object, wherever that object is kept: these change `status` alone, and read
/// `metadata.generation` and `spec`. The phase goes Pending → Warm → Running → Ran → Proved, or Failed; conditions are
/// Warm, Ran, Proved, Ready, Stalled and, on a cluster, RolloutFailed, in kstatus form.
///
/// Sets or replaces a condition; its time is that of the last change of its status.
void set_condition(json::Object& object, const Condition& condition);
/// A run is pending, and so is its proof.
void set_pending(json::Object& object, const std::string& run_id);
/// So many wait; none: why.
void set_warm(json::Object& object, unsigned replicas, const std::string& reason);
void set_running(json::Object& object);
/// The run is done; `start`: warm or cold.
void set_ran(json::Object& object, const Digest& record, const std::string& start);
/// The last run is that one, of which nothing else is known than its record: the status is made again, without a proof.
void set_ran_before(json::Object& object, const RecordedRun& run);
/// Whoever writes has seen the spec of that generation, and the conditions above hold for it.
void set_observed(json::Object& object, const json::Value& generation);
void set_failed(json::Object& object, const Error& error);
/// The last run is on record, and its proof has failed. The phase stays: it has run.
void set_proof_failed(json::Object& object, const Error& error);
/// That proof is made after all, and not checked yet. Conditions that say something else stay.
void take_back_proof_failed(json::Object& object);
/// Whether the spec wants a proof; yes where it does not say.
bool requires_proof(const json::Object& object);
/// Whether the proof is of the last run of this deployment.
bool is_proof_of(const json::Object& object, const ProofOfRun& proof);
/// Takes in the proof of the last run, which it is (is_proof_of). Changes nothing where it says all of it already.
void set_proved(json::Object& object, const ProofOfRun& proof);

}  // namespace capsule::deploy
