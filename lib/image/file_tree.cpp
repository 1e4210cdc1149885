#include "image/file_tree.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::image {

namespace {

using archive::ImageTarEntry;
using Kind = ImageTarEntry::Kind;

constexpr unsigned node_bits = 2;
constexpr std::uint64_t node_mask = 3;
constexpr std::size_t first_slots = 1024;
constexpr std::size_t max_names = 1'500'000;  // folders that no entry names are counted too

/// FNV-1a, 64 bits, which goes on from the hash of a path's beginning.
constexpr std::uint64_t hash_of_nothing = 0xcbf29ce484222325;
std::uint64_t hash_on(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

[[noreturn]] void refuse(const ImageTarEntry& entry, std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("the entry '{}' {}", printable(entry.path), reason)};
}

/// A container's root may hold these devices, and a file system nothing that reaches out of it.
void check_kind(const ImageTarEntry& entry) {
  constexpr unsigned memory_major = 1;    // null, zero, full, random, urandom
  constexpr unsigned terminal_major = 5;  // tty, console, ptmx
  if (entry.kind == Kind::symlink) (void)link_target(entry.path, entry.link);
  const bool is_device = entry.kind == Kind::character_device;
  const bool is_known = entry.device_major == memory_major || entry.device_major == terminal_major;
  if (entry.kind == Kind::other || (is_device && !is_known)) refuse(entry, "is a device, FIFO or socket");
}

}  // namespace

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

void FileTree::add(const ImageTarEntry& entry) {
  check_kind(entry);
  if (entry.path.empty()) {
    if (entry.kind != Kind::folder) refuse(entry, "has the name of the root, and is no folder");
    return;
  }
  const auto node = entry.kind == Kind::folder    ? Node::folder
                    : entry.kind == Kind::symlink ? Node::symlink
                                                  : Node::other;
  const auto hash =
      with_trace(fmt::format("the entry '{}'", printable(entry.path)), [&] { return enter_folders(entry.path); });
  const auto before = find(hash);
  if (before != Node::none && (before != Node::folder || node != Node::folder)) refuse(entry, "is there twice");
  if (entry.kind == Kind::hardlink) check_hardlink(entry);
  if (before == Node::none) insert(hash, node);
}

std::uint64_t FileTree::enter_folders(std::string_view path) {
  auto hash = hash_of_nothing;
  std::size_t start = 0;
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const auto above = path.substr(0, slash);
    hash = hash_on(hash, path.substr(start, slash - start));
    start = slash;
    switch (find(hash)) {
      case Node::none:
        insert(hash, Node::folder);
        break;
      case Node::folder:
        break;
      case Node::symlink:
        throw Error{ErrorKind::invalid_input,
                    fmt::format("its path goes through '{}', a symbolic link", printable(above))};
      case Node::other:
        throw Error{ErrorKind::invalid_input, fmt::format("its path goes through '{}', a file", printable(above))};
    }
  }
  return hash_on(hash, path.substr(start));
}

void FileTree::check_hardlink(const ImageTarEntry& entry) const {
  const auto target = with_trace(fmt::format("the hard link '{}'", printable(entry.path)),
                                 [&] { return archive::normal_image_path(entry.link); });
  const auto node = find(hash_on(hash_of_nothing, target));
  if (node != Node::symlink && node != Node::other)
    refuse(entry, fmt::format("is a hard link to '{}', and no such file stands before it", printable(target)));
}

std::size_t FileTree::slot_of(std::uint64_t hash) const noexcept {
  const auto key = hash >> node_bits;
  const auto last = m_slots.size() - 1;
  auto slot = static_cast<std::size_t>((key ^ (key >> 32U)) & last);
  while (m_slots[slot] != 0 && m_slots[slot] >> node_bits != key) slot = (slot + 1) & last;
  return slot;
}

FileTree::Node FileTree::find(std::uint64_t hash) const noexcept {
  return m_slots.empty() ? Node::none : static_cast<Node>(m_slots[slot_of(hash)] & node_mask);
}

void FileTree::insert(std::uint64_t hash, Node node) {
  if (m_used == max_names)
    throw Error{ErrorKind::invalid_input, fmt::format("more than {} files and folders", max_names)};
  if (m_used * 4 >= m_slots.size() * 3) grow();
  m_slots[slot_of(hash)] = (hash & ~node_mask) | static_cast<std::uint64_t>(node);
  ++m_used;
}

void FileTree::grow() {
  std::vector<std::uint64_t> before(m_slots.empty() ? first_slots : m_slots.size() * 2);
  before.swap(m_slots);
  for (const auto entry : before) {
    if (entry != 0) m_slots[slot_of(entry)] = entry;
  }
}

}  // namespace capsule::image
