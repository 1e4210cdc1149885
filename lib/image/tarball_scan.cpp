#include "image/tarball_scan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "archive/image_tar.hpp"
#include "image/file_tree.hpp"
#include "image/hashing_source.hpp"

namespace capsule::image {

namespace {

using archive::ImageTarEntry;

constexpr std::size_t max_depth_of_parts = 3;  // blobs/sha256/<hex>
constexpr int max_links = 8;

/// Whether a file could be part of an image, by its name: `blobs/…` and JSON of an OCI layout; `<id>.json`,
/// `<id>/layer.tar`, `<id>.tar` of a docker archive.
bool could_be_part(std::string_view path) {
  const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
  if (depth > max_depth_of_parts) return false;
  if (path.starts_with("blobs/")) return true;
  return depth <= 2 && (path == "oci-layout" || path.ends_with(".json") || path.ends_with(".tar") ||
                        path.ends_with(".tar.gz") || path.ends_with(".tgz"));
}

/// Bytes that are not compressed are hashed once.
HashingSource::Hash hash_again(const archive::Decompressed& plain) {
  return plain.compression() == archive::Compression::none ? HashingSource::Hash::no : HashingSource::Hash::yes;
}

/// A part with its first bytes looked at. Knows whether it was the input that failed, and not who reads it.
class LookedAt final : public Source {
 public:
  explicit LookedAt(Source& source) : m_source(source), m_front(512) { m_front.resize(read_fully(source, m_front)); }
  [[nodiscard]] std::string_view front() const noexcept { return as_text(m_front); }
  [[nodiscard]] bool failed() const noexcept { return m_failed; }
  std::size_t read(MutableBytes buffer) override {
    if (m_used < m_front.size()) {
      const auto count = std::min(buffer.size(), m_front.size() - m_used);
      std::copy_n(m_front.begin() + static_cast<std::ptrdiff_t>(m_used), count, buffer.begin());
      m_used += count;
      return count;
    }
    try {
      return m_source.read(buffer);
    } catch (...) {
      m_failed = true;
      throw;
    }
  }

 private:
  Source& m_source;
  Bytes m_front;
  std::size_t m_used = 0;
  bool m_failed = false;
};

class Scanner {
 public:
  Scanner(TarballScan& scan, const TarballLimits& limits) : m_scan(scan), m_limits(limits) {}

  void see(const ImageTarEntry& entry, archive::ImageTar& tar) {
    if (!m_scan.unfit_for_files) note(m_scan.unfit_for_files, [&] { m_files.add(entry); });
    if (!could_be_part(entry.path)) return;
    if (m_scan.parts.size() + m_scan.links.size() >= m_limits.parts) {
      m_scan.too_many_parts = true;
    } else if (entry.kind == ImageTarEntry::Kind::file) {
      note(m_scan.unfit_for_parts, [&] { read_part(entry, tar.content()); });
    } else if (entry.kind != ImageTarEntry::Kind::folder) {
      note(m_scan.unfit_for_parts, [&] { read_link(entry); });
    }
  }

 private:
  /// A fault that only matters if the tarball turns out to be the kind that it spoils.
  template <typename Work>
  void note(std::optional<Error>& fault, Work&& work) {
    try {
      work();
    } catch (const Error& error) {
      if (!fault) fault = error;
    }
  }

  void read_link(const ImageTarEntry& entry) {
    using Kind = ImageTarEntry::Kind;
    std::optional<std::string> target;
    if (entry.kind == Kind::hardlink) target = archive::normal_image_path(entry.link);
    if (entry.kind == Kind::symlink) target = link_target(entry.path, entry.link);
    if (!target) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("the entry '{}' is neither a file nor a link inside", printable(entry.path))};
    }
    if (!m_scan.links.emplace(entry.path, *target).second || m_scan.parts.contains(entry.path)) refuse_twin(entry);
  }

  [[noreturn]] static void refuse_twin(const ImageTarEntry& entry) {
    throw Error{ErrorKind::invalid_input, fmt::format("the entry '{}' is there twice", printable(entry.path))};
  }

  void read_part(const ImageTarEntry& entry, Source& content) {
    if (m_scan.parts.contains(entry.path) || m_scan.links.contains(entry.path)) refuse_twin(entry);
    auto part = with_trace(printable(entry.path), [&] { return hash_part(content); });
    m_scan.parts.emplace(entry.path, std::move(part));
  }

  TarballPart hash_part(Source& content) {
    HashingSource file{content};
    auto limits = m_limits.decompress;
    limits.bytes -= std::min(limits.bytes, m_decompressed);
    archive::Decompressed plain{file, limits};
    HashingSource tar{plain, hash_again(plain)};
    LookedAt part{tar};
    std::optional<std::string> text;
    std::optional<Error> fault;
    if (plain.compression() == archive::Compression::none && looks_like_json(part.front()))
      text = read_text(part);
    else
      fault = fault_of_layer(part);
    NullSink rest;
    copy(part, rest);
    m_decompressed += tar.count();
    auto digest = file.finish();
    auto diff_id = tar.hashes() ? tar.finish() : digest;
    return {std::move(digest),  file.count(),    plain.compression(),
            std::move(diff_id), std::move(text), std::move(fault)};
  }

  /// JSON text and nothing that a tar could begin with: a name is filled up with NUL bytes.
  static bool looks_like_json(std::string_view front) {
    const auto start = front.find_first_not_of(" \t\r\n");
    return start != std::string_view::npos && (front[start] == '{' || front[start] == '[') &&
           front.find('\0') == std::string_view::npos;
  }

  /// Nothing where there is too much text in all.
  std::optional<std::string> read_text(LookedAt& part) {
    try {
      StringSink sink{m_limits.text_bytes - std::min(m_limits.text_bytes, m_kept)};
      copy(part, sink);
      m_kept += sink.text().size();
      return sink.take();
    } catch (const Error&) {
      if (part.failed()) throw;
      m_scan.too_many_parts = true;
      return std::nullopt;
    }
  }

  /// Why a part cannot be a layer: only its manifest, which may come later, says whether it is one.
  std::optional<Error> fault_of_layer(LookedAt& part) const {
    try {
      FileTree files;
      archive::ImageTar entries{part, m_limits.entries};
      ImageTarEntry entry;
      while (entries.next(entry)) files.add(entry);
      return std::nullopt;
    } catch (const Error& error) {
      if (part.failed()) throw;
      return error;
    }
  }

  TarballScan& m_scan;
  const TarballLimits& m_limits;
  FileTree m_files;
  std::size_t m_kept = 0;
  std::uint64_t m_decompressed = 0;
};

}  // namespace

std::string TarballScan::follow(std::string path) const {
  for (int i = 0; i < max_links; ++i) {
    const auto link = links.find(path);
    if (link == links.end()) break;
    path = link->second;
  }
  return path;
}

const TarballPart* TarballScan::find(std::string path) const {
  const auto found = parts.find(follow(std::move(path)));
  return found == parts.end() ? nullptr : &found->second;
}

TarballScan scan_tarball(Source& tarball, const TarballLimits& limits) {
  TarballScan out;
  HashingSource file{tarball};
  archive::Decompressed plain{file, limits.decompress};
  HashingSource tar{plain, hash_again(plain)};
  {
    archive::ImageTar entries{tar, limits.entries};
    Scanner scanner{out, limits};
    ImageTarEntry entry;
    while (entries.next(entry)) scanner.see(entry, entries);
  }
  NullSink rest;
  copy(tar, rest);  // what stands behind the end of the archive belongs to the digests
  copy(file, rest);
  out.compression = plain.compression();
  out.size = file.count();
  out.digest = file.finish();
  out.tar_size = tar.count();
  out.tar_digest = tar.hashes() ? tar.finish() : *out.digest;
  return out;
}

}  // namespace capsule::image
