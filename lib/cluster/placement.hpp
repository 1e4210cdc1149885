#pragma once

#include <string>
#include <vector>

#include "capsule/manifest.hpp"
#include "cluster/capability.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

// To which nodes the pods of a capsule may go.

/// Tolerations and nodeSelector of the object's spec.template, for the check. Pure.
void take_placement(const json::Value& object, PodDemand& demand);

/// What of the object's spec.template the pods do not take over, one line that names the first paths in it; empty:
/// nothing, or it is a deploy's own, which stands there for an operator. Pure.
std::string not_taken_over(const json::Value& object);

/// The nodes that the pods have to name, since the scheduler cannot know which ones meet the requirements; empty: it is
/// free. Pure.
std::vector<std::string> nodes_to_name(const Manifest& manifest, const ClusterCheck& check);

}  // namespace capsule::cluster
