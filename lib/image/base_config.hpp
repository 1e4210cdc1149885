#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "image/base_image.hpp"

namespace capsule::image {

/// Error invalid_input, verification_failed.
[[noreturn]] void refuse_base(std::string_view reason);
[[noreturn]] void base_mismatch(std::string_view reason);

/// The OCI media type of a layer in that compression. Error invalid_input for xz.
std::string_view layer_type(archive::Compression compression);

/// The text of a part that must be a JSON document.
const std::string& text_of(const TarballPart& part, std::string_view name);

/// An image config (image-spec 1.1, config.md, or Docker's), as far as our image takes something from it.
struct BaseConfig {
  std::string architecture;
  std::vector<Digest> diff_ids;
  BaseImage image;  ///< without layers
};

BaseConfig parse_base_config(const std::string& text, const std::string& what);

/// A config and its layers, held together: as many, each with the diff_id that the config says.
BaseImage join_base(BaseConfig config, std::vector<BaseLayer> layers);

}  // namespace capsule::image
