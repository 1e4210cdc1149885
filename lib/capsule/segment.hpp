#pragma once

#include <cstdint>
#include <optional>

#include "core/digest.hpp"

namespace capsule {

/// A piece of a canonical package: valid gzip of a valid tar fragment, at once a piece of the file and an OCI layer.
struct Segment {
  enum class Role { head, tarball, files, end };
  Role role{};
  std::uint64_t offset = 0;       ///< in the package, bytes
  std::uint64_t size = 0;         ///< compressed, bytes
  std::uint64_t tar_size = 0;     ///< uncompressed, bytes
  std::optional<Digest> digest;   ///< of the bytes in the package; only when SegmentDigests::yes was asked for
  std::optional<Digest> diff_id;  ///< of the tar bytes; likewise
};

}  // namespace capsule
