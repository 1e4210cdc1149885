#pragma once

#include <string>

#include "cluster/deployed_object.hpp"

namespace capsule::cluster {

enum class EventType { normal, warning };

/// Tells who looks (kubectl describe pd) what was done to the object: an Event. `reason` is one
/// word, `note` one line. Where it cannot be written that is no error: what it says stands in the object's status, too.
void tell(kube::Client& client, const json::Value& object, EventType type, const std::string& reason,
          const std::string& note, const std::string& component = "capsule-deploy");

}  // namespace capsule::cluster
