#include "image/tarball_scan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "archive/image_tar.hpp"
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

/// Where a symbolic link in `path` points, inside the tarball; nothing if it is absolute. Error if it climbs out.
std::optional<std::string> link_target(std::string_view path, std::string_view link) {
  if (link.starts_with('/')) return std::nullopt;
  std::string out{path.substr(0, path.find_last_of('/') == std::string_view::npos ? 0 : path.find_last_of('/'))};
  while (!link.empty()) {
    const auto slash = link.find('/');
    const auto part = link.substr(0, slash);
    link = slash == std::string_view::npos ? std::string_view{} : link.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (out.empty()) {
        throw Error{ErrorKind::invalid_input, fmt::format("the link '{}' leads out of the tarball", printable(path))};
      }
      const auto last = out.find_last_of('/');
      out.resize(last == std::string::npos ? 0 : last);
      continue;
    }
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

/// A file system may hold what a container's root holds, and nothing that reaches out of it.
void check_fits_in_files(const ImageTarEntry& entry) {
  constexpr unsigned memory_major = 1;    // null, zero, full, random, urandom
  constexpr unsigned terminal_major = 5;  // tty, console, ptmx
  using Kind = ImageTarEntry::Kind;
  if (entry.kind == Kind::hardlink) {
    (void)archive::normal_image_path(entry.link);
  } else if (entry.kind == Kind::symlink) {
    (void)link_target(entry.path, entry.link);
  } else if (entry.kind == Kind::other || (entry.kind == Kind::character_device && entry.device_major != memory_major &&
                                           entry.device_major != terminal_major)) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("the entry '{}' is a device, FIFO or socket", printable(entry.path))};
  }
}

/// Bytes that are not compressed are hashed once.
HashingSource::Hash hash_again(const archive::Decompressed& plain) {
  return plain.compression() == archive::Compression::none ? HashingSource::Hash::no : HashingSource::Hash::yes;
}

class Scanner {
 public:
  Scanner(TarballScan& scan, const TarballLimits& limits) : m_scan(scan), m_limits(limits) {}

  void see(const ImageTarEntry& entry, archive::ImageTar& tar) {
    note(m_scan.unfit_for_files, [&] { check_fits_in_files(entry); });
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
    Bytes buffer(std::size_t{128} << 10U);
    std::optional<std::string> text;
    bool first = true;
    while (const auto count = tar.read(buffer)) {
      const auto bytes = as_text(ByteView{buffer.data(), count});
      if (first && plain.compression() == archive::Compression::none && looks_like_json(bytes)) text.emplace();
      first = false;
      if (text) keep(text, bytes);
    }
    if (text) m_kept += text->size();
    m_decompressed += tar.count();
    auto digest = file.finish();
    auto diff_id = tar.hashes() ? tar.finish() : digest;
    return {std::move(digest), file.count(), plain.compression(), std::move(diff_id), std::move(text)};
  }

  static bool looks_like_json(std::string_view bytes) {
    const auto start = bytes.find_first_not_of(" \t\r\n");
    return start != std::string_view::npos && (bytes[start] == '{' || bytes[start] == '[');
  }

  void keep(std::optional<std::string>& text, std::string_view bytes) {
    if (m_kept + text->size() + bytes.size() > m_limits.text_bytes) {
      m_scan.too_many_parts = true;
      text.reset();
    } else {
      *text += bytes;
    }
  }

  TarballScan& m_scan;
  const TarballLimits& m_limits;
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
