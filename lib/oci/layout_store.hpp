#pragma once

#include "fs/atomic_file.hpp"
#include "oci/layout_index.hpp"
#include "oci/manifest.hpp"
#include "oci/pending_tags.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

/// One repository as an OCI image layout (image-spec 1.1) in a folder: `oci-layout`, `index.json`, `blobs/sha256/…`.
/// Blobs appear whole and under their digest, index.json is replaced in one step, so that readers need no lock and a
/// kill at any moment leaves a valid layout; writers of index.json take a lock on `oci-layout`. A large index.json is
/// not read where an entry of it is enough (layout_lookup.hpp), and not written for a tag that is put with
/// put_listed_later (pending_tags.hpp).
class LayoutStore final : public Store {
 public:
  /// The layout must be there: Error not_found.
  explicit LayoutStore(fs::Path folder);
  /// Makes an empty layout where there is none.
  static void create(const fs::Path& folder);

  std::optional<Descriptor> resolve(std::string_view tag) override;
  std::string manifest(const Digest& digest) override;
  std::optional<std::uint64_t> blob_size(const Digest& digest) override;
  bool holds(const Digest& digest, std::uint64_t size) override;
  bool holds_manifest(const Digest& digest, std::uint64_t size) override { return holds(digest, size); }
  void require_writable() override;
  std::unique_ptr<Source> open_blob(const Descriptor& descriptor) override;
  std::unique_ptr<Source> open_blob_part(const Descriptor& descriptor, std::uint64_t offset) override;
  void put_blob(const Digest& digest, std::uint64_t size, Source& content) override;
  Descriptor put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) override;
  Descriptor put_manifest(std::string_view media_type, std::string_view bytes,
                          std::optional<std::string_view> tag) override;
  Descriptor put_listed_later(std::string_view media_type, std::string_view bytes, std::string_view tag) override;
  std::vector<Descriptor> referrers(const Digest& subject, std::string_view artifact_type) override;
  std::vector<std::string> tags(std::string_view prefix) override;
  void exclusively(const std::function<void()>& work) override;
  void settle() override {}

 private:
  [[nodiscard]] fs::Path blob_path(const Digest& digest) const;
  [[nodiscard]] fs::Path require_blob(const Descriptor& descriptor);
  /// What index.json names.
  [[nodiscard]] std::optional<Descriptor> listed(std::string_view tag) const;
  struct Stored {
    Descriptor descriptor;
    std::optional<Digest> subject;
  };
  Stored store_manifest(std::string_view media_type, std::string_view bytes, std::optional<std::string_view> tag);
  std::vector<std::string> take_over_pending(LayoutIndex& index) const;
  void check_children(const Manifest& manifest);
  void commit_blob(fs::AtomicFile& file, const Digest& digest, std::uint64_t size);
  fs::Path m_folder;
  PendingTags m_pending;
};

}  // namespace capsule::oci
