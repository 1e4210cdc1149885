#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/descriptor.hpp"

namespace publish {

/// What sign leaves beside a package (`<package>.oci.json`): which blobs it will be in a registry. Nobody vouches for
/// it; it only tells what may be sent while the package is still being verified.
struct Hints {
  std::string name;
  std::string version;
  capsule::Digest index;
  std::vector<capsule::oci::Descriptor> segments;  ///< one after the other they are the package
};

/// Nothing for what cannot be read, and where the segments do not make up `package_size` bytes.
std::optional<Hints> parse_hints(std::string_view text, std::uint64_t package_size);

}  // namespace publish
