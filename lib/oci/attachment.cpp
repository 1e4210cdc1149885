#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

namespace {

constexpr std::string_view empty_config = "{}";

Descriptor put_text(Store& store, std::string_view media_type, std::string_view text) {
  Descriptor out{std::string{media_type}, crypto::sha256(text), text.size(), {}, {}, {}};
  ViewSource source{as_bytes(text)};
  store.put_blob(out.digest, out.size, source);
  return out;
}

/// The subject without its annotations and platform: what a registry compares is the digest alone.
Descriptor plain(const Descriptor& subject) {
  return {subject.media_type, subject.digest, subject.size, {}, {}, {}};
}

}  // namespace

Descriptor attach(Store& store, const Descriptor& subject, const Attachment& attachment) {
  const auto& type = attachment.artifact_type.empty() ? attachment.layer_media_type : attachment.artifact_type;
  json::Object manifest{{"schemaVersion", 2}, {"mediaType", media_type::image_manifest}, {"artifactType", type}};
  manifest.set("config", put_text(store, media_type::empty, empty_config).to_json());
  manifest.set("layers", json::Array{put_text(store, attachment.layer_media_type, attachment.content).to_json()});
  manifest.set("subject", plain(subject).to_json());
  if (!attachment.annotations.empty()) {
    json::Object notes;
    for (const auto& [key, value] : attachment.annotations) notes.set(key, value);
    manifest.set("annotations", std::move(notes));
  }
  return store.put_manifest(media_type::image_manifest, json::compact(manifest), std::nullopt);
}

bool is_attached(Store& store, const Digest& subject, std::string_view artifact_type, const Digest& content) {
  const auto referrers = store.referrers(subject, artifact_type);
  return std::any_of(referrers.begin(), referrers.end(), [&](const Descriptor& referrer) {
    const auto manifest = parse_manifest(store.manifest(referrer.digest), referrer.media_type, referrer.digest.text());
    return manifest.layers.size() == 1 && manifest.layers.front().digest == content;
  });
}

Attached read_attached(Store& store, const Descriptor& referrer, std::string_view artifact_type, std::size_t limit) {
  const auto manifest = parse_manifest(store.manifest(referrer.digest), referrer.media_type, referrer.digest.text());
  if (manifest.artifact_type != artifact_type || manifest.layers.size() != 1) {
    throw Error{ErrorKind::invalid_input, fmt::format("this is no {} with one layer", artifact_type)};
  }
  const auto& layer = manifest.layers.front();
  return {referrer, layer.digest, read_text(store, layer, limit), manifest.annotations};
}

std::vector<Attached> attached(Store& store, const Digest& subject, std::string_view artifact_type, std::size_t limit) {
  std::vector<Attached> out;
  for (const auto& referrer : store.referrers(subject, artifact_type)) {
    try {
      out.push_back(read_attached(store, referrer, artifact_type, limit));
    } catch (const Error& error) {
      // One that cannot be read must not hide a good one; one that cannot be read at the moment may be the good one.
      if (retry_helps(error.kind())) throw;
      log::warning("a referrer is left out", {{"digest", referrer.digest.text()}, {"reason", error.message()}});
    }
  }
  return out;
}

}  // namespace capsule::oci
