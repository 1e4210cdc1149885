#pragma once

#include <string_view>

namespace capsule {

/// Whether `text` is a capsule's version: semver 2.0 without build metadata ('+' cannot stand in an OCI tag), at most
/// 100 bytes.
bool is_version(std::string_view text) noexcept;

/// Whether `text` is a capsule's name: [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?
bool is_name(std::string_view text) noexcept;

/// Precedence of two versions (semver 2.0 §11): negative, zero or positive. Both must be versions.
int compare_versions(std::string_view left, std::string_view right) noexcept;

}  // namespace capsule
