#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oci/credentials.hpp"

namespace capsule::oci {

/// Asks the credential helper `name` (the program docker-credential-<name> of PATH; docker/docker-credential-helpers)
/// for the credentials of `server`, within half a minute. It is the user's own program and gets our environment, but
/// for what begins with CAPSULE_. Nothing: it has none. Errors usage (no such program), denied (it failed, or its
/// answer is none), timed_out. What it writes is in no message.
std::optional<RegistryCredentials> ask_credential_helper(std::string_view name, std::string_view server);

}  // namespace capsule::oci
