#include "oci/descriptor.hpp"

#include <algorithm>

#include "json/cursor.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_media_type_bytes = 255;  // RFC 6838 §4.2: 127 on each side of the slash

void check_media_type(const json::Cursor& field) {
  const auto& text = field.string();
  const auto slash = text.find('/');
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (text.size() > max_media_type_bytes || slash == 0 || slash == std::string::npos || !printable) {
    field.fail("this is no media type");
  }
}

Digest digest_of(const json::Cursor& field) {
  try {
    return Digest::parse(field.string());
  } catch (const Error& error) {
    field.fail(error.message());
  }
}

}  // namespace

json::Value Descriptor::to_json() const {
  json::Object out;
  out.set("mediaType", media_type);
  out.set("digest", digest.text());
  out.set("size", size);
  if (!artifact_type.empty()) out.set("artifactType", artifact_type);
  if (!annotations.empty()) {
    json::Object notes;
    for (const auto& [key, value] : annotations) notes.set(key, value);
    out.set("annotations", std::move(notes));
  }
  if (platform) out.set("platform", *platform);
  return out;
}

Descriptor Descriptor::from_json(const json::Cursor& top) {
  check_media_type(top.at("mediaType"));
  Descriptor out{top.at("mediaType").string(), digest_of(top.at("digest")), top.at("size").uint64(), {}, {}, {}};
  if (const auto type = top.optional("artifactType")) {
    check_media_type(*type);
    out.artifact_type = type->string();
  }
  if (const auto notes = top.optional("annotations")) {
    for (const auto& [key, note] : notes->members()) out.annotations.emplace(key, note.string());
  }
  if (const auto platform = top.optional("platform")) {
    (void)platform->object();
    out.platform = platform->value();
  }
  return out;
}

}  // namespace capsule::oci
