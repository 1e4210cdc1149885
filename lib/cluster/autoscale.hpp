#pragma once

#include <optional>
#include <string_view>

#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

// Where the object's spec.autoscale is set, the number of pods is no field of ours. An apply that leaves out a field
// that was ours removes it, and with it all pods but one: so the number goes to a manager of its own first, from which
// an autoscaler takes it with its first write.

/// Under which name the number of pods is ours.
inline constexpr std::string_view autoscale_manager = "capsule-loop-autoscale";

/// How many pods the object's spec.autoscale wants at least, 0 where it does not say; nothing where it is not set.
/// Pure.
std::optional<unsigned> autoscaled_from(const json::Value& object);
/// The number that is to be set: where it is ours, and is handed over now, no fewer than there are; where there is no
/// pod, and one is wanted, as many as are wanted, whoever took them. Nothing: it stays. Pure.
std::optional<unsigned> handed_over(const json::Value& deployment, unsigned at_least);
/// Whether it was handed over when the deploy with that receipt left it, whoever has taken it since; one that somebody
/// took from us is none. Pure.
bool is_handed_over(const json::Value& deployment, std::string_view receipt);
/// Sets the number for an autoscaler to take; nothing: gives it back, once it is ours again.
json::Value set_handed_over(kube::Client& client, const kube::Name& deployment, std::optional<unsigned> replicas);

}  // namespace capsule::cluster
