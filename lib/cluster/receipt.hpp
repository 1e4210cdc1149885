#pragma once

#include <string>
#include <string_view>

#include "json/value.hpp"

namespace capsule::cluster {

/// What a deployment's objects are beside the ProofedDeployment object; null: not there, or not wanted.
struct Parts {
  const json::Value* deployment = nullptr;
  const json::Value* trust = nullptr;   ///< the ConfigMap with the keys that the pods trust
  const json::Value* budget = nullptr;  ///< the PodDisruptionBudget
  std::string added{};                  ///< what somebody added to the Deployment (drift.hpp); empty: nothing
};

/// What a deploy leaves, as annotation::fields has it. What it applies is made of the capsule, of what it was asked for
/// (`options_digest`, as RollOutWish has it) and of the object's spec; whoever changes a field that it has applied
/// takes that over (own_fields()). So a deploy has something to apply where one of these is another than in its
/// receipt, and the plan compares nothing else. Pure.
std::string receipt(const std::string& options_digest, const json::Value& object, const Parts& parts);

/// That of the deploy that left it; empty where there is none, or one of former versions. Pure.
std::string options_digest_in(std::string_view receipt);

/// What differs from the receipt that the object bears, one line; empty: nothing. Pure.
std::string changed_since(std::string_view receipt, const std::string& options_digest, const json::Value& object,
                          const Parts& parts);
/// Whether the object's spec is another one than in that receipt; no where there is none, or one of former versions.
/// Pure.
bool has_other_spec(std::string_view receipt, const json::Value& object);
/// Whether the same fields of the Deployment are ours as when that receipt was written. Pure.
bool has_same_deployment(std::string_view receipt, const json::Value& deployment);
/// Whether it says that there was a PodDisruptionBudget; yes where there is no receipt. Pure.
bool may_name_budget(std::string_view receipt);

}  // namespace capsule::cluster
