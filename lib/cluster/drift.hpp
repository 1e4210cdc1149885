#pragma once

#include <string>
#include <vector>

#include "cluster/field_paths.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What another manager has put beside our fields into the spec of a Deployment, so that no field of ours shows it.
struct Addition {
  std::string what;     ///< "env LD_PRELOAD of container runner", "spec.template.spec.hostNetwork"
  std::string manager;  ///< whose it is, as metadata.managedFields has it
  FieldPath path;
};

/// Every field of the spec that a manager has set and that is not among ours: what the API server fills in belongs to
/// nobody, unless somebody else made the Deployment. Not the number of pods, which is an autoscaler's or in conflict
/// with ours, nor the annotation of `kubectl rollout restart`, which is a request. What the platform's operator
/// (`maker`; empty: none) has set, only where it changes what our containers do: containers, env, envFrom, lifecycle,
/// and a pause. None where nothing is ours. Pure.
std::vector<Addition> additions(const json::Value& deployment, const std::string& maker = {});

/// The spec less all that additions() would call so, and less what the API server has filled in. Pure.
json::Object own_spec(const json::Value& deployment, const std::string& maker = {});

/// `spec` as it may be put in place of the Deployment's: with the number of its pods, and with the annotation of
/// `kubectl rollout restart`. Pure.
json::Object in_place_of(json::Object spec, const json::Value& deployment);

/// Those additions that change something: what the API server makes of the Deployment with `spec` is held against what
/// is there (a dry run; no call where `found` is empty), so that a default which somebody has spelt out is none.
std::vector<Addition> effective(std::vector<Addition> found, kube::Client& client, const kube::Name& name,
                                const json::Value& deployment, const json::Object& spec);

/// Puts `spec` in place of the Deployment's, by the deploy with that fencing number; the Deployment as it is then.
/// Error busy: a later deploy has taken it over.
json::Value put_spec(kube::Client& client, const kube::Name& name, json::Value deployment, const json::Object& spec,
                     std::uint64_t fence);

/// "volume s (by kubectl-patch), …", one line.
std::string text_of(const std::vector<Addition>& additions);

}  // namespace capsule::cluster
