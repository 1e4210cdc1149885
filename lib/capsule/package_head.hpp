#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capsule/checksum_list.hpp"
#include "capsule/manifest.hpp"
#include "core/bytes.hpp"
#include "core/stream.hpp"

namespace capsule {

struct PackageLimits {
  std::uint64_t total_bytes = std::uint64_t{64} << 30U;
  std::size_t entries = 100'000;
  std::size_t head_bytes = std::size_t{16} << 20U;
};

/// The head of a package as it claims to be: well formed, nothing more.
struct PackageHead {
  Manifest manifest;
  std::string manifest_text;   ///< capsule.json, the bytes
  std::string checksums_text;  ///< checksum.sha256, the bytes
  ChecksumList files;
  std::optional<Bytes> signature;  ///< signature.sig, if there is one
};

/// Reads a package as far as its head goes (canonical: the first member or two). Nothing is verified. Error
/// invalid_input.
PackageHead read_package_head(Source& package, const PackageLimits& limits = {});

/// The tar stream of the head segment: signature.sig (if there is one), checksum.sha256, capsule.json.
Bytes head_tar(const std::optional<Bytes>& signature, std::string_view checksums, std::string_view manifest);

}  // namespace capsule
