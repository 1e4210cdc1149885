#pragma once

#include <optional>
#include <string>

#include "kube/client.hpp"

namespace capsule::cluster {

/// What --target says: nothing for `this-machine`, else a namespace, which is empty for `kubernetes` alone (that of the
/// context, or of our own pod). Error usage.
std::optional<std::string> namespace_of_target(const std::string& target);

/// The characters that a capsule's name has at most on a cluster: its Deployment is called <name>-deploy, and a label's
/// value has 63 (the CRD has the same bound).
inline constexpr std::size_t max_name_length = 56;
/// Error invalid_input for a longer one.
void require_short_name(const std::string& capsule);

/// The target as a run record names it: `kubernetes:<uid of the namespace>`.
std::string target_of(kube::Client& client, const std::string& ns);

}  // namespace capsule::cluster
