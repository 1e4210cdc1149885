#pragma once

#include <optional>

#include "core/secret.hpp"
#include "fs/fd.hpp"

namespace generate_proof {

/// The X-API-Key in a file, without white space at its end. No file, or one that is not there, means no key: the
/// templates name one that a user need not have. Error usage for an empty one.
std::optional<capsule::Secret> read_api_key(const capsule::fs::Path& file);

}  // namespace generate_proof
