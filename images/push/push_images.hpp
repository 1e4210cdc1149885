#pragma once

#include <string>
#include <vector>

#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "oci/reference.hpp"

namespace push_images {

/// What a tag of the registry names now.
struct PushedImage {
  std::string name;  ///< of the repository below the registry's base
  std::string tag;
  capsule::Digest digest;  ///< of the image, or of the index of one per architecture
};

/// Copies every tagged image of an OCI image layout (image-spec 1.1) with all that it names: what the layout calls
/// `<anything>/<name>:<version>` becomes tag `<version>` of repository `<registry>/<name>`. A tag that is there is
/// moved. What the registry holds already is not sent. Returns them in the order of the layout.
///
/// Errors of oci::Store; invalid_input for a layout without images or with other tags; verification_failed where the
/// layout's content is not what its digests say.
std::vector<PushedImage> push(const capsule::fs::Path& layout, const capsule::oci::RegistryLocation& registry);

}  // namespace push_images
