#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::cluster {

/// What a deployment's objects are beside the ProofedDeployment object; null: not there, or not wanted.
struct Parts {
  const json::Value* deployment = nullptr;
  const json::Value* trust = nullptr;   ///< the ConfigMap with the keys that the pods trust
  const json::Value* budget = nullptr;  ///< the PodDisruptionBudget
};

/// Which of their fields are ours (own_fields()), as annotation::fields has it. Pure.
std::string noted_fields(const Parts& parts);
/// What differs from what was noted, by name: "Deployment", "ConfigMap", "PodDisruptionBudget"; empty: nothing. Pure.
std::string changed_part(const Parts& parts, std::string_view noted);

/// What somebody put beside our fields of a Deployment that changes what its pods do, so that no field of ours shows
/// it: an env variable of a container of ours, its envFrom or lifecycle, a container more, a pause.
struct Addition {
  std::string what;     ///< "env LD_PRELOAD of container runner"
  std::string pointer;  ///< where it is, as JSON patch has it
};
/// In such an order that each can be removed after those before it. Pure.
std::vector<Addition> additions(const json::Value& deployment);

}  // namespace capsule::cluster
