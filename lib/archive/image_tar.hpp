#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/stream.hpp"

namespace capsule::archive {

struct ImageTarEntry {
  enum class Kind { file, folder, symlink, hardlink, character_device, other };
  Kind kind{};
  std::string path;        ///< relative, without `./` and a trailing slash; empty for the root itself
  std::string link;        ///< as written
  std::uint64_t size = 0;  ///< of a file, bytes
  unsigned device_major = 0;
};

/// A tar of another tool in which an image or a file system comes, read front to back by libarchive (ustar, GNU, pax;
/// no other format). Strict where it must be: Error invalid_input for what is no tar or is cut, for absolute paths,
/// `..`, paths over 4 KiB or with a NUL byte, sparse files, and more than `max_entries`. Links are given as they are:
/// whoever follows them must judge them.
class ImageTar {
 public:
  static constexpr std::size_t default_max_entries = 1'000'000;

  /// `tar` (decompressed) must outlive it.
  explicit ImageTar(Source& tar, std::size_t max_entries = default_max_entries);
  ~ImageTar();
  ImageTar(const ImageTar&) = delete;
  ImageTar& operator=(const ImageTar&) = delete;

  /// The next entry; false at the end.
  bool next(ImageTarEntry& entry);
  /// The bytes of the entry that next() gave, a file, until next() is called again.
  Source& content();

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

/// `path` as ImageTarEntry has it. Error invalid_input.
std::string normal_image_path(std::string_view path);

}  // namespace capsule::archive
