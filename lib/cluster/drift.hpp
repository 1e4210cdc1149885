#pragma once

#include <string>
#include <vector>

#include "json/value.hpp"

namespace capsule::cluster {

/// What somebody put beside our fields of a Deployment that changes what its pods do, so that no field of ours shows
/// it: an env variable of a container of ours, its envFrom or lifecycle, a container more, a pause.
struct Addition {
  std::string what;     ///< "env LD_PRELOAD of container runner"
  std::string pointer;  ///< where it is, as JSON patch has it
};
/// In such an order that each can be removed after those before it. Pure.
std::vector<Addition> additions(const json::Value& deployment);

}  // namespace capsule::cluster
