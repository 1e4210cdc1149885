#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "capsule/manifest.hpp"
#include "capsule/segment.hpp"
#include "image/base_image.hpp"
#include "oci/descriptor.hpp"

namespace capsule::image {

/// Annotations of the three manifests of a version (README.md, "In a registry").
namespace annotation {
inline constexpr std::string_view name = "ai.industriverse.capsule.name";
inline constexpr std::string_view version = "ai.industriverse.capsule.version";
inline constexpr std::string_view capsule_digest = "ai.industriverse.capsule.capsule-digest";
inline constexpr std::string_view package_digest = "ai.industriverse.capsule.package-digest";
inline constexpr std::string_view title = "org.opencontainers.image.title";
}  // namespace annotation

/// How the entrypoint is started in the image: as itself (it begins with `#!` or is an ELF file), or by python3 (`.py`
/// without `#!`).
enum class Start { itself, python };

/// Error invalid_input for an entrypoint that is neither.
Start start_of(std::string_view entrypoint, bool executable);

/// Everything that the OCI form of a capsule is made of.
struct PackageFacts {
  Manifest manifest;
  Digest capsule_digest;
  Digest package_digest;
  std::vector<Segment> segments;  ///< of the canonical package, with digests and diff_ids
  Start start = Start::itself;
  BaseImage base;
  std::uint64_t tarball_size = 0;  ///< of capsule.tarball, bytes
};

struct Document {
  oci::Descriptor descriptor;
  std::string bytes;  ///< exactly what is stored
};

/// A version as it stands in a registry: the same bytes on every machine, so that sign can sign the index before
/// publish puts it.
struct PublishedForm {
  Document package_config;
  Document package_manifest;  ///< the segments in order: concatenated, they are the package
  Document image_config;
  Document image_manifest;  ///< base layers, then the segments less capsule.tarball's
  Document index;           ///< of both; the tag is the capsule's version
};

/// Pure. Error invalid_input for more than 127 layers, which overlayfs cannot mount.
PublishedForm published_form(const PackageFacts& facts);

}  // namespace capsule::image
