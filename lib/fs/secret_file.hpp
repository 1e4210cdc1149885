#pragma once

#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace capsule::fs {

/// A passphrase or PIN from a file: one line of 1 to 1024 bytes, less the newline at its end. `what` names it in
/// messages ("the passphrase"). Error usage for a file that is empty, too long or more than one line; not_found,
/// denied.
Secret read_secret_file(const std::string& file, std::string_view what);

}  // namespace capsule::fs
