#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/image_tar.hpp"

namespace capsule::image {

/// Where a symbolic link in `path` points, inside the tar; nothing if it is absolute. Error invalid_input if it climbs
/// out.
std::optional<std::string> link_target(std::string_view path, std::string_view link);

/// The files of one layer, or of a file system, as they go by. Each entry is judged by itself and against those before
/// it, so that nobody who unpacks it can be led out of the root or astray: no path through a symbolic link or a file,
/// no file twice (image-spec 1.1, layer.md, "Distributable Format"; a folder may be named again), no hard link to what
/// does not stand before it, no device but a container's, no FIFO, no socket, no symbolic link that climbs out.
///
/// Names are kept as hashes of 62 bits, 11 to 22 bytes each, at most 1.5 million. Two names of one hash would be
/// refused as one file twice; of 10⁶ names that happens in one tar of 10⁷.
class FileTree {
 public:
  /// Error invalid_input that names the entry.
  void add(const archive::ImageTarEntry& entry);

 private:
  enum class Node : std::uint8_t { none, folder, symlink, other };
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const noexcept;
  [[nodiscard]] Node find(std::uint64_t hash) const noexcept;
  void insert(std::uint64_t hash, Node node);
  void grow();
  /// The folders above `path` become folders by this; returns the hash of `path`.
  std::uint64_t enter_folders(std::string_view path);
  void check_hardlink(const archive::ImageTarEntry& entry) const;

  std::vector<std::uint64_t> m_slots;  ///< open addressing: a hash whose lowest two bits are its node, 0 is free
  std::size_t m_used = 0;
};

}  // namespace capsule::image
