#pragma once

#include <optional>
#include <string>

namespace capsule::cluster {

/// What --target says: nothing for `this-machine`, else a namespace, which is empty for `kubernetes` alone (that of the
/// context, or of our own pod). Error usage.
std::optional<std::string> namespace_of_target(const std::string& target);

}  // namespace capsule::cluster
