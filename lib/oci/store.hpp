#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stream.hpp"
#include "oci/blob_content.hpp"
#include "oci/descriptor.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

/// One repository of a registry, wherever it is (distribution-spec 1.1): an OCI layout in a folder, or a registry over
/// HTTP. Several threads may read from one at once, and put content into a
/// registry's. Contract tests run against every kind.
class Store {
 public:
  static constexpr std::size_t max_manifest_bytes = std::size_t{4} << 20U;
  static constexpr std::size_t max_referrers = 64;

  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// What a tag names; nothing where there is no such tag or repository. Error conflict where it names two things.
  [[nodiscard]] virtual std::optional<Descriptor> resolve(std::string_view tag) = 0;
  /// The exact bytes of a manifest or index, checked against the digest; at most 4 MiB. Error not_found.
  [[nodiscard]] virtual std::string manifest(const Digest& digest) = 0;
  /// Bytes of a blob, or nothing where it is not there.
  [[nodiscard]] virtual std::optional<std::uint64_t> blob_size(const Digest& digest) = 0;
  [[nodiscard]] bool has_blob(const Digest& digest) { return blob_size(digest).has_value(); }
  /// Whether a blob is there with the bytes that its digest and size promise. A layout reads all of it, for anybody can
  /// write into a folder; a registry vouches for what it holds.
  [[nodiscard]] virtual bool holds(const Digest& digest, std::uint64_t size) = 0;
  /// The same of a manifest or index: registries keep those apart from blobs.
  [[nodiscard]] virtual bool holds_manifest(const Digest& digest, std::uint64_t size) = 0;
  /// For whoever has long work to do before there is something to store. Error denied, or what the store cannot be
  /// written for.
  virtual void require_writable() = 0;
  /// A blob to read from; a wrong size or digest is Error verification_failed before the end is reported. Error
  /// not_found. The source does not need the store any more.
  [[nodiscard]] virtual std::unique_ptr<Source> open_blob(const Descriptor& descriptor) = 0;
  /// The same from byte `offset` on, for who reads a chain of blobs and holds all of it against another digest: here
  /// only the size is held against what is promised.
  [[nodiscard]] virtual std::unique_ptr<Source> open_blob_part(const Descriptor& descriptor, std::uint64_t offset);
  /// All of it into a sink.
  virtual void read_blob(const Descriptor& descriptor, Sink& sink);
  /// Stores a blob of known digest; nothing is read from `content` where the store holds the blob already. One that is
  /// there with other bytes is replaced, with a warning. A mismatch is Error verification_failed and stores nothing.
  virtual void put_blob(const Digest& digest, std::uint64_t size, Source& content) = 0;
  /// The same of content that can be read again, so that a transfer that is cut can go on; also in a new process.
  /// False: it was there, in this repository or another one of the registry.
  virtual bool put_content(const BlobContent& content);
  /// Stores a blob whose digest is known only at its end.
  virtual Descriptor put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) = 0;
  /// Stores a manifest or index and, with `tag`, points the tag at it. A manifest with a `subject` becomes a referrer
  /// of it. What it names (config, layers, manifests) must be there already: Error invalid_input. Its `mediaType` must
  /// be the given one.
  virtual Descriptor put_manifest(std::string_view media_type, std::string_view bytes,
                                  std::optional<std::string_view> tag) = 0;
  /// The same with a tag that is for our own programs: other tools may see it only once something else is put. What it
  /// costs does not grow with the number of tags.
  virtual Descriptor put_listed_later(std::string_view media_type, std::string_view bytes, std::string_view tag) {
    return put_manifest(media_type, bytes, tag);
  }
  /// The referrers of a manifest with their annotations, filtered by artifact type if one is given, in the order in
  /// which they were put; of more than 64 the first 32 (a publisher's signature) and the last 32 (the newest runs).
  /// Content of a known digest needs no list: read_text takes a digest.
  [[nodiscard]] virtual std::vector<Descriptor> referrers(const Digest& subject,
                                                          std::string_view artifact_type = {}) = 0;
  /// Tags that begin with `prefix`, sorted.
  [[nodiscard]] virtual std::vector<std::string> tags(std::string_view prefix = {}) = 0;
  /// Runs `work` while no other writer of this repository does (layout: flock, Error busy after half a minute;
  /// registry: no lock is to be had, so callers write, read again and repeat; what `work` attached is waited for once,
  /// at its end). Within a thread calls may nest.
  virtual void exclusively(const std::function<void()>& work) = 0;
  /// After a tag was put: waits until what another writer put at the same moment shows, so that whoever reads the tag
  /// now and finds his own is the last (layout: nothing to wait for; registry: settling_time).
  virtual void settle() = 0;
};

enum class Create { no, yes };

/// Opens the repository `<registry>/<name>`. With Create::no a layout that is not there is Error not_found. Of a
/// registry over HTTP nothing is asked yet.
std::unique_ptr<Store> open_store(const RegistryLocation& registry, std::string_view name, Create create = Create::no);

/// Names of the repositories of a registry, sorted: of one over HTTP those right below its base, if it lists any
/// (Error denied, not_found or invalid_input where it does not).
std::vector<std::string> repository_names(const RegistryLocation& registry);

/// What a tag names, with its bytes. What a registry says of it is a word, the bytes are the thing: another size or
/// media type than said is Error verification_failed or invalid_input. Nothing where there is no such tag.
struct TaggedManifest {
  Descriptor descriptor;
  std::string bytes;
};
std::optional<TaggedManifest> read_tagged(Store& store, std::string_view tag);

/// Small documents: a blob as text, at most `limit` bytes.
std::string read_text(Store& store, const Descriptor& descriptor, std::size_t limit);
/// The same by digest alone. Error not_found.
std::string read_text(Store& store, const Digest& digest, std::size_t limit);

/// One small artifact attached to `subject`: an image manifest with the empty config, one layer of `layer_media_type`,
/// artifactType the same unless given. Already there (same bytes) = nothing is written. Returns the descriptor of the
/// manifest; the layer's digest is that of `content`.
struct Attachment {
  std::string artifact_type;
  std::string layer_media_type;
  std::string content;
  std::map<std::string, std::string> annotations;
};
Descriptor attach(Store& store, const Descriptor& subject, const Attachment& attachment);
/// Whether an artifact of that type with the one layer `content` is among the referrers of `subject`.
bool is_attached(Store& store, const Digest& subject, std::string_view artifact_type, const Digest& content);

/// The content of each referrer of `artifact_type` (single layer, at most `limit` bytes each) with the layer's digest.
struct Attached {
  Descriptor manifest;
  Digest content_digest;
  std::string content;
  std::map<std::string, std::string> annotations;
};
/// One of them, as Store::referrers names it. Errors invalid_input (another form), verification_failed, not_found.
Attached read_attached(Store& store, const Descriptor& referrer, std::string_view artifact_type, std::size_t limit);
std::vector<Attached> attached(Store& store, const Digest& subject, std::string_view artifact_type, std::size_t limit);

}  // namespace capsule::oci
