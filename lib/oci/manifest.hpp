#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/descriptor.hpp"

namespace capsule::oci {

/// An image manifest or image index (image-spec 1.1), as far as one has to look into it.
struct Manifest {
  std::string media_type;
  std::string artifact_type;  ///< that of the document, else the config's media type; empty for an index without one
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;     ///< of an image manifest
  std::vector<Descriptor> manifests;  ///< of an image index
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;

  [[nodiscard]] bool is_index() const noexcept;
};

/// Parses `bytes` and holds them against the media type under which they were named: another one inside is Error
/// invalid_input (a document must not be read as two things). Only the two OCI types and Docker's two are known.
/// `what` names the document in errors.
Manifest parse_manifest(std::string_view bytes, std::string_view media_type, const std::string& what);

}  // namespace capsule::oci
