#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/documents.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

namespace capsule::index {

/// One document of the index as an OCI artifact under a tag: its first layer is the document, further layers are the
/// blobs that it refers to, so that no garbage collector takes them.
struct Artifact {
  std::string tag;
  std::string_view media_type;
  std::string content;
  std::vector<BlobEntry> referred;
};

struct LoadedArtifact {
  Digest digest;    ///< of the content
  Digest manifest;  ///< what the tag names
  std::string content;
};

BlobEntry store_blob(oci::Store& store, std::string_view content);

struct StoredArtifact {
  BlobEntry content;
  Digest manifest;  ///< what the tag names
};
/// Stores the artifact and points its tag at it.
StoredArtifact store_artifact(oci::Store& store, const Artifact& artifact);
/// The same, but the tag is left alone, and nothing returned, if `condition`, asked just before, does not hold.
std::optional<StoredArtifact> store_artifact_if(oci::Store& store, const Artifact& artifact,
                                                const std::function<bool()>& condition);
/// Nothing where there is no such tag.
std::optional<LoadedArtifact> load_artifact(oci::Store& store, std::string_view tag, std::size_t limit);
/// A blob as text; a wrong digest or size is Error verification_failed.
std::string load_blob(oci::Store& store, const BlobEntry& entry, std::size_t limit);

}  // namespace capsule::index
