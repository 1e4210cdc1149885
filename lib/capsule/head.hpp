#pragma once

#include <array>
#include <string_view>

namespace capsule::head {

/// The first three entries of a canonical package, in their order.
inline constexpr std::string_view signature = "signature.sig";
inline constexpr std::string_view checksums = "checksum.sha256";
inline constexpr std::string_view manifest = "capsule.json";

/// capsule.tarball is a segment of its own, whatever its size.
inline constexpr std::string_view tarball = "capsule.tarball";

}  // namespace capsule::head
