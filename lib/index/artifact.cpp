#include "index/artifact.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace capsule::index {

namespace {

constexpr std::string_view page_type = "application/vnd.industriverse.capsule.index-page.v1+json";

json::Value layer(std::string_view media_type, const BlobEntry& entry) {
  return oci::Descriptor{std::string{media_type}, entry.digest, entry.size, {}, {}, {}}.to_json();
}

}  // namespace

BlobEntry store_blob(oci::Store& store, std::string_view content) {
  BlobEntry entry{crypto::sha256(content), content.size()};
  ViewSource source{as_bytes(content)};
  store.put_blob(entry.digest, entry.size, source);
  return entry;
}

StoredArtifact store_artifact(oci::Store& store, const Artifact& artifact) {
  return *store_artifact_if(store, artifact, [] { return true; });
}

std::optional<StoredArtifact> store_artifact_if(oci::Store& store, const Artifact& artifact,
                                                const std::function<bool()>& condition) {
  auto content = store_blob(store, artifact.content);
  json::Array layers{layer(artifact.media_type, content)};
  for (const auto& entry : artifact.referred) layers.push_back(layer(page_type, entry));
  const json::Object manifest{{"schemaVersion", 2},
                              {"mediaType", oci::media_type::image_manifest},
                              {"artifactType", artifact.media_type},
                              {"config", layer(oci::media_type::empty, store_blob(store, "{}"))},
                              {"layers", std::move(layers)}};
  if (!condition()) return std::nullopt;
  return StoredArtifact{
      content, store.put_listed_later(oci::media_type::image_manifest, json::compact(manifest), artifact.tag).digest};
}

std::optional<LoadedArtifact> load_artifact(oci::Store& store, std::string_view tag, std::size_t limit) {
  const auto found = oci::read_tagged(store, tag);
  if (!found) return std::nullopt;
  const auto manifest = json::parse(found->bytes, "the manifest of the index");
  const auto layers = json::Cursor{manifest, "the manifest of the index"}.at("layers").elements();
  if (layers.empty())
    throw Error{ErrorKind::invalid_input, fmt::format("the artifact under the tag {} has no layer", printable(tag))};
  const BlobEntry entry{Digest::parse(layers.front().at("digest").string()), layers.front().at("size").uint64()};
  return LoadedArtifact{entry.digest, found->descriptor.digest, load_blob(store, entry, limit)};
}

std::string load_blob(oci::Store& store, const BlobEntry& entry, std::size_t limit) {
  return oci::read_text(store, {"application/octet-stream", entry.digest, entry.size, {}, {}, {}}, limit);
}

}  // namespace capsule::index
