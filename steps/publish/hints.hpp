#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/capsule_input.hpp"
#include "oci/descriptor.hpp"

namespace publish {

/// What sign leaves beside a package (`<package>.oci.json`): which blobs it will be in a registry. Nobody vouches for
/// it: it tells what may be sent while the package is still being verified, and what need not be hashed where those who
/// are trusted have signed the index that comes of it (vouched.hpp).
struct Hints {
  std::string name;
  std::string version;
  capsule::Digest index;
  std::vector<capsule::oci::Descriptor> segments;  ///< one after the other they are the package
  std::vector<capsule::Digest> diff_ids;           ///< of the segments' tars; empty where they are not told
};

/// Nothing for what cannot be read, and where the segments do not make up `package_size` bytes.
std::optional<Hints> parse_hints(std::string_view text, std::uint64_t package_size);
/// Those beside a package, if there are any that can be used.
std::optional<Hints> read_hints(capsule::image::CapsuleInput& input);

}  // namespace publish
