#include "oci/layout_store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/direct_sink.hpp"
#include "fs/lock.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "oci/checked_source.hpp"
#include "oci/layout_lookup.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers_index.hpp"

namespace capsule::oci {

namespace {

constexpr auto lock_patience = std::chrono::seconds{30};
constexpr std::size_t always_listed_bytes = 16384;  // up to here index.json is kept exact at every moment
constexpr std::string_view layout_file = R"({"imageLayoutVersion":"1.0.0"})";

/// The writer's lock of one layout, shared by all stores of this process: flock alone would let a second store of the
/// same process wait for the first for ever.
struct WriterLock {
  std::recursive_timed_mutex mutex;
  unsigned depth = 0;
  std::optional<fs::FileLock> file;
};

WriterLock& writer_lock(const fs::Path& folder) {
  static std::mutex mutex;
  static std::map<fs::Path, WriterLock> locks;
  const std::lock_guard guard{mutex};
  return locks[std::filesystem::weakly_canonical(folder)];
}

/// A blob's file, checked while it is read.
class BlobSource final : public Source {
 public:
  BlobSource(const fs::Path& path, const Descriptor& descriptor)
      : m_file(path), m_checked(m_file, descriptor.digest, descriptor.size) {}
  std::size_t read(MutableBytes buffer) override { return m_checked.read(buffer); }

 private:
  fs::FileSource m_file;
  CheckedSource m_checked;
};

void make_folder(const fs::Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
}

void write_if_missing(const fs::Path& path, std::string_view content) {
  if (std::filesystem::exists(path)) return;
  fs::AtomicFile file{path};
  file.write(as_bytes(content));
  try {
    file.commit(fs::AtomicFile::Overwrite::no);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;  // another process made it a moment ago
  }
}

}  // namespace

LayoutStore::LayoutStore(fs::Path folder) : m_folder(std::move(folder)), m_pending(own_folder(m_folder) / "pending") {
  const auto path = m_folder / "oci-layout";
  if (!std::filesystem::exists(path)) {
    throw Error{ErrorKind::not_found, fmt::format("{} is no OCI image layout: nothing has been published there",
                                                  printable(m_folder.string(), 1024))};
  }
  const auto document = json::parse(fs::read_file(path, 4096), path.string());
  const json::Cursor top{document, path.string()};
  if (!top.at("imageLayoutVersion").string().starts_with("1.")) top.at("imageLayoutVersion").fail("1.0.0 is wanted");
}

void LayoutStore::create(const fs::Path& folder) {
  make_folder(folder / "blobs" / "sha256");
  write_if_missing(folder / "index.json", LayoutIndex{}.text());
  write_if_missing(folder / "oci-layout", layout_file);  // last: with it the layout is there
}

fs::Path LayoutStore::blob_path(const Digest& digest) const {
  return m_folder / "blobs" / digest.algorithm() / digest.hex();
}

std::optional<Descriptor> LayoutStore::listed(std::string_view tag) const {
  return read_index(m_folder, {LayoutIndex::mark(LayoutIndex::tag_annotation, tag)}).tagged(tag);
}

std::optional<Descriptor> LayoutStore::resolve(std::string_view tag) {
  // In this order: whoever takes the pending tags over writes index.json before he removes them.
  auto pending = m_pending.find(tag);
  auto there = listed(tag);
  if (pending && pending->counts_beside(there)) return std::move(pending->target);
  return there;
}

std::vector<std::string> LayoutStore::tags(std::string_view prefix) {
  auto out = m_pending.tags();
  std::erase_if(out, [&](const std::string& tag) { return !tag.starts_with(prefix) || !resolve(tag); });
  const auto in_index = read_whole_index(m_folder).tags(prefix);
  out.insert(out.end(), in_index.begin(), in_index.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string LayoutStore::manifest(const Digest& digest) {
  return read_text(*this, digest, max_manifest_bytes);
}

std::optional<std::uint64_t> LayoutStore::blob_size(const Digest& digest) {
  const auto path = blob_path(digest);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fs::throw_errno("look at", path, errno);
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

bool LayoutStore::holds(const Digest& digest, std::uint64_t size) {
  if (blob_size(digest) != size) return false;
  fs::FileSource file{blob_path(digest)};
  CheckedSource checked{file, digest, size};
  NullSink nowhere;
  try {
    copy(checked, nowhere);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification_failed) throw;
    return false;
  }
  return true;
}

void LayoutStore::require_writable() {
  // Blobs get their names in the one folder, the new index in the other.
  for (const auto& folder : {m_folder, m_folder / "blobs" / "sha256"}) {
    if (::access(folder.c_str(), W_OK | X_OK) != 0) fs::throw_errno("write into the registry", folder, errno);
  }
}

/// Error not_found or verification_failed unless it is there with its size.
fs::Path LayoutStore::require_blob(const Descriptor& descriptor) {
  const auto there = blob_size(descriptor.digest);
  if (!there) {
    throw Error{ErrorKind::not_found,
                fmt::format("the blob {} is not in {}", descriptor.digest.text(), printable(m_folder.string(), 1024))};
  }
  if (*there != descriptor.size) {
    throw Error{ErrorKind::verification_failed, fmt::format("the blob {} has {} bytes, {} are promised",
                                                            descriptor.digest.text(), *there, descriptor.size)};
  }
  return blob_path(descriptor.digest);
}

std::unique_ptr<Source> LayoutStore::open_blob(const Descriptor& descriptor) {
  return std::make_unique<BlobSource>(require_blob(descriptor), descriptor);
}

std::unique_ptr<Source> LayoutStore::open_blob_part(const Descriptor& descriptor, std::uint64_t offset) {
  const auto path = require_blob(descriptor);
  auto file = std::make_unique<fs::FileSource>(path);
  if (::lseek(file->fd(), static_cast<off_t>(offset), SEEK_SET) < 0) fs::throw_errno("read", path, errno);
  return file;
}

void LayoutStore::put_blob(const Digest& digest, std::uint64_t size, Source& content) {
  if (holds(digest, size)) return;
  const auto path = blob_path(digest);
  make_folder(path.parent_path());
  fs::AtomicFile file{path};
  CheckedSource checked{content, digest, size};
  if (size >= fs::DirectSink::worthwhile_bytes) {
    fs::DirectSink direct{file};
    copy(checked, direct);
    direct.finish();
  } else {
    copy(checked, file);
  }
  commit_blob(file, digest, size);
}

/// Gives a finished file its name. Without overwriting it never has another one, so that a kill leaves nothing. Only a
/// file that is there with other bytes than its name says is replaced, by one writer at a time.
void LayoutStore::commit_blob(fs::AtomicFile& file, const Digest& digest, std::uint64_t size) {
  try {
    return file.commit(fs::AtomicFile::Overwrite::no);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
  }
  exclusively([&] {
    if (holds(digest, size)) return;  // another writer was faster
    fs::sweep_temporaries(blob_path(digest));
    file.commit(fs::AtomicFile::Overwrite::yes);
    log::warning("a damaged blob was written anew",
                 {{"digest", digest.text()}, {"registry", printable(m_folder.string(), 1024)}});
  });
}

Descriptor LayoutStore::put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) {
  const auto folder = m_folder / "blobs" / "sha256";
  make_folder(folder);
  fs::AtomicFile file{folder / "unnamed"};
  crypto::HashingSink hashing{file};
  produce(hashing);
  Descriptor out{std::string{media_type}, hashing.finish(), hashing.count(), {}, {}, {}};
  if (holds(out.digest, out.size)) return out;
  file.set_target(blob_path(out.digest));
  commit_blob(file, out.digest, out.size);
  return out;
}

Descriptor LayoutStore::put_manifest(std::string_view media_type, std::string_view bytes,
                                     std::optional<std::string_view> tag) {
  auto out = store_manifest(media_type, bytes, tag);
  if (!tag && !out.subject) return out.descriptor;
  exclusively([&] {
    auto index = read_whole_index(m_folder);
    const auto taken_over = take_over_pending(index);
    bool changed = tag && index.set_tag(*tag, out.descriptor);
    if (out.subject) changed = index.add_referrer(*out.subject, out.descriptor) || changed;
    if (!changed) return;
    write_index(m_folder, index);
    m_pending.remove(taken_over);
  });
  return out.descriptor;
}

Descriptor LayoutStore::put_listed_later(std::string_view media_type, std::string_view bytes, std::string_view tag) {
  if (quick_index_size(m_folder).value_or(0) <= always_listed_bytes) return put_manifest(media_type, bytes, tag);
  auto out = store_manifest(media_type, bytes, tag);
  if (out.subject) return put_manifest(media_type, bytes, tag);
  exclusively([&] {
    const auto before = resolve(tag);
    if (before && before->digest == out.descriptor.digest) return;
    const auto there = listed(tag);
    m_pending.put(tag, {out.descriptor, there ? std::optional{there->digest} : std::nullopt});
  });
  return out.descriptor;
}

/// Into `index`, what counts of the pending tags; returns all of them, for they go when it is written.
std::vector<std::string> LayoutStore::take_over_pending(LayoutIndex& index) const {
  auto tags = m_pending.tags();
  const auto in_index = index.find_tags({tags.begin(), tags.end()});
  LayoutIndex::Tags targets;
  for (const auto& tag : tags) {
    auto pending = m_pending.find(tag);
    const auto there = in_index.find(tag);
    if (pending && pending->counts_beside(there == in_index.end() ? std::nullopt : std::optional{there->second}))
      targets.emplace(tag, std::move(pending->target));
  }
  index.set_tags(std::move(targets));
  return tags;
}

LayoutStore::Stored LayoutStore::store_manifest(std::string_view media_type, std::string_view bytes,
                                                std::optional<std::string_view> tag) {
  if (tag && !is_tag(*tag)) throw Error{ErrorKind::invalid_input, fmt::format("'{}' is no tag", printable(*tag))};
  Descriptor out{std::string{media_type}, crypto::sha256(bytes), bytes.size(), {}, {}, {}};
  const auto manifest = oci::parse_manifest(bytes, media_type, fmt::format("the manifest {}", out.digest.brief()));
  out.artifact_type =
      manifest.subject || manifest.artifact_type != oci::media_type::image_config ? manifest.artifact_type : "";
  check_children(manifest);
  ViewSource source{as_bytes(bytes)};
  put_blob(out.digest, out.size, source);
  return {std::move(out), manifest.subject ? std::optional{manifest.subject->digest} : std::nullopt};
}

void LayoutStore::check_children(const Manifest& manifest) {
  const auto check = [&](const Descriptor& child) {
    if (blob_size(child.digest) != child.size) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("a manifest names {} of {} bytes, which is not in {}", child.digest.text(), child.size,
                              printable(m_folder.string(), 1024))};
    }
  };
  if (manifest.config) check(*manifest.config);
  for (const auto& layer : manifest.layers) check(layer);
  for (const auto& child : manifest.manifests) check(child);
}

std::vector<Descriptor> LayoutStore::referrers(const Digest& subject, std::string_view artifact_type) {
  const auto index =
      read_index(m_folder, {LayoutIndex::mark(LayoutIndex::subject_annotation, subject.text()), std::string{no_mark}});
  auto candidates = worth_reading(index.referrers(subject), artifact_type);
  for (auto& other : index.unmarked(max_unmarked)) candidates.push_back(std::move(other));
  return checked_referrers(std::move(candidates), subject, artifact_type,
                           [this](const Digest& digest) { return manifest(digest); });
}

void LayoutStore::exclusively(const std::function<void()>& work) {
  auto& lock = writer_lock(m_folder);
  const std::unique_lock thread{lock.mutex, lock_patience};
  if (!thread.owns_lock()) {
    throw Error{ErrorKind::busy, fmt::format("{} is locked by another thread", printable(m_folder.string(), 1024))};
  }
  if (lock.depth == 0) lock.file.emplace(m_folder / "oci-layout", lock_patience);
  ++lock.depth;
  const auto leave = [&lock](const void*) {
    if (--lock.depth == 0) lock.file.reset();
  };
  const std::unique_ptr<const void, decltype(leave)> leaving{&lock, leave};
  work();
}

}  // namespace capsule::oci
