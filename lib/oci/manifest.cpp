#include "oci/manifest.hpp"

#include <fmt/format.h>

#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"

namespace capsule::oci {

namespace {

bool is_index_type(std::string_view type) noexcept {
  return type == media_type::image_index || type == media_type::docker_list;
}

bool is_manifest_type(std::string_view type) noexcept {
  return type == media_type::image_manifest || type == media_type::docker_manifest;
}

std::vector<Descriptor> descriptors(const json::Cursor& field) {
  std::vector<Descriptor> out;
  for (const auto& element : field.elements()) out.push_back(Descriptor::from_json(element));
  return out;
}

}  // namespace

bool Manifest::is_index() const noexcept {
  return is_index_type(media_type);
}

Manifest parse_manifest(std::string_view bytes, std::string_view media_type, const std::string& what) {
  const auto document = json::parse(bytes, what);
  const json::Cursor top{document, what};
  if (!is_index_type(media_type) && !is_manifest_type(media_type)) {
    top.fail(fmt::format("the media type {} is neither that of an image manifest nor of an image index",
                         printable(media_type)));
  }
  if (top.at("schemaVersion").uint64() != 2) top.at("schemaVersion").fail("version 2 is wanted");
  if (const auto inside = top.optional("mediaType"); inside && inside->string() != media_type) {
    inside->fail(fmt::format("this is not {}, as which it was named", media_type));
  }
  Manifest out;
  out.media_type = media_type;
  if (out.is_index()) {
    if (top.optional("layers") || top.optional("config")) top.fail("an index has no layers and no config");
    out.manifests = descriptors(top.at("manifests"));
  } else {
    if (top.optional("manifests")) top.fail("an image manifest has no manifests");
    out.config = Descriptor::from_json(top.at("config"));
    out.layers = descriptors(top.at("layers"));
    out.artifact_type = out.config->media_type;
  }
  if (const auto type = top.optional("artifactType")) out.artifact_type = type->string();
  if (const auto subject = top.optional("subject")) out.subject = Descriptor::from_json(*subject);
  if (const auto notes = top.optional("annotations")) {
    for (const auto& [key, note] : notes->members()) out.annotations.emplace(key, note.string());
  }
  return out;
}

}  // namespace capsule::oci
