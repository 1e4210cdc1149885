#pragma once

#include <optional>
#include <string>

#include "kube/client.hpp"

namespace capsule::cluster {

/// What --target says: nothing for `this-machine`, else a namespace, which is empty for `kubernetes` alone (that of the
/// context, or of our own pod). Error usage.
std::optional<std::string> namespace_of_target(const std::string& target);

/// The target as a run record names it: `kubernetes:<uid of the namespace>`.
std::string target_of(kube::Client& client, const std::string& ns);

}  // namespace capsule::cluster
