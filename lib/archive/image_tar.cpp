#include "archive/image_tar.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "archive/foreign_header.hpp"
#include "archive/libarchive_source.hpp"
#include "core/error.hpp"

namespace capsule::archive {

namespace {

constexpr std::size_t max_path_bytes = 4096;

[[noreturn]] void refuse(std::string_view path, std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("the entry '{}' {}", printable(path), reason)};
}

std::string text_of(const char* utf8, const char* raw) {
  if (utf8 != nullptr) return utf8;
  return raw != nullptr ? raw : "";
}

ImageTarEntry::Kind kind_of(struct ::archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr || ::archive_entry_hardlink_utf8(entry) != nullptr) {
    return ImageTarEntry::Kind::hardlink;
  }
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return ImageTarEntry::Kind::file;
    case AE_IFDIR:
      return ImageTarEntry::Kind::folder;
    case AE_IFLNK:
      return ImageTarEntry::Kind::symlink;
    case AE_IFCHR:
      return ImageTarEntry::Kind::character_device;
    default:
      return ImageTarEntry::Kind::other;
  }
}

std::string link_of(struct ::archive_entry* entry, ImageTarEntry::Kind kind) {
  if (kind == ImageTarEntry::Kind::hardlink) {
    return text_of(::archive_entry_hardlink_utf8(entry), ::archive_entry_hardlink(entry));
  }
  if (kind == ImageTarEntry::Kind::symlink) {
    return text_of(::archive_entry_symlink_utf8(entry), ::archive_entry_symlink(entry));
  }
  return {};
}

}  // namespace

std::string normal_image_path(std::string_view path) {
  if (path.empty()) refuse(path, "has no name");
  if (path.size() > max_path_bytes) refuse(path.substr(0, 80), "has a path of more than 4096 bytes");
  if (path.front() == '/') refuse(path, "has an absolute path");
  std::string out;
  for (auto rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const auto part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") refuse(path, "leaves the archive's root");
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

struct ImageTar::State final : public Source {
  State(Source& tar, std::size_t most) : input(tar), handle(new_reader()), max_entries(most) {}

  std::size_t read(MutableBytes buffer) override {
    const auto count = ::archive_read_data(handle.get(), buffer.data(), buffer.size());
    if (count < 0) fail();
    return static_cast<std::size_t>(count);
  }

  /// Where the entry's blocks stand libarchive says itself, so that nobody can lead two readers apart.
  void check_header() const {
    const auto start = ::archive_read_header_position(handle.get());
    const auto end = ::archive_filter_bytes(handle.get(), 0);
    check_foreign_header(input.bytes_between(static_cast<std::uint64_t>(start), static_cast<std::uint64_t>(end)));
  }

  [[noreturn]] void fail() {
    input.rethrow();
    const char* text = ::archive_error_string(handle.get());
    throw Error{ErrorKind::invalid_input, fmt::format("broken tar: {}", printable(text != nullptr ? text : "unknown"))};
  }

  LibarchiveInput input;
  ArchivePtr handle;
  struct ::archive_entry* entry = nullptr;  ///< the handle's
  std::size_t max_entries;
  std::size_t seen = 0;
};

ImageTar::ImageTar(Source& tar, std::size_t max_entries) : m_state(std::make_unique<State>(tar, max_entries)) {
  if (::archive_read_support_format_tar(m_state->handle.get()) != ARCHIVE_OK) m_state->fail();
  m_state->input.open(m_state->handle.get());
}

ImageTar::~ImageTar() = default;

bool ImageTar::next(ImageTarEntry& entry) {
  const int result = ::archive_read_next_header(m_state->handle.get(), &m_state->entry);
  if (result == ARCHIVE_EOF) return false;
  if (result < ARCHIVE_WARN) m_state->fail();  // a warning: a name that the locale cannot hold
  m_state->input.rethrow();
  if (++m_state->seen > m_state->max_entries) {
    throw Error{ErrorKind::invalid_input, fmt::format("more than {} entries", m_state->max_entries)};
  }
  auto* const from = m_state->entry;
  entry.kind = kind_of(from);
  const auto path = text_of(::archive_entry_pathname_utf8(from), ::archive_entry_pathname(from));
  with_trace(fmt::format("the entry '{}'", printable(path)), [&] { m_state->check_header(); });
  entry.path = normal_image_path(path);
  entry.link = link_of(from, entry.kind);
  entry.size = entry.kind == ImageTarEntry::Kind::file ? static_cast<std::uint64_t>(::archive_entry_size(from)) : 0;
  entry.device_major = static_cast<unsigned>(::archive_entry_rdevmajor(from));
  return true;
}

Source& ImageTar::content() {
  return *m_state;
}

}  // namespace capsule::archive
