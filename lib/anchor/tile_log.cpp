#include "anchor/tile_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/lock.hpp"

namespace capsule::anchor {

namespace {

constexpr std::uint64_t tile_width = 256;
constexpr unsigned tile_height = 8;
constexpr std::size_t max_entry_bytes = 65535;
constexpr std::size_t max_bundle_bytes = tile_width * (max_entry_bytes + 2);

[[noreturn]] void damaged(const fs::Path& file, std::string_view how = "is too short") {
  throw Error{ErrorKind::verification_failed,
              fmt::format("the log is damaged: {} {}: bring it back from a copy", printable(file.string(), 1024), how)};
}

/// A file that a checkpoint promises.
std::string read_part(const fs::Path& file, std::size_t limit) {
  if (!std::filesystem::exists(file)) damaged(file, "is missing");
  return fs::read_file(file, limit);
}

/// C2SP tlog-tiles: the number in groups of three digits, all but the last with an 'x' in front: 1234067 →
/// x001/x234/067.
std::string tile_number(std::uint64_t number) {
  auto out = fmt::format("{:03}", number % 1000);
  for (number /= 1000; number > 0; number /= 1000) out = fmt::format("x{:03}/{}", number % 1000, out);
  return out;
}

/// The file that holds the first `width` items of tile `number`.
fs::Path tile_file(const fs::Path& level_folder, std::uint64_t number, std::uint64_t width) {
  const auto full = level_folder / tile_number(number);
  return width == tile_width ? full : fs::Path{full.string() + ".p"} / std::to_string(width);
}

/// How many of the `count` items of a level stand in tile `number`.
std::uint64_t width_of(std::uint64_t number, std::uint64_t count) {
  return std::min(tile_width, count - number * tile_width);
}

void write_tile(const fs::Path& level_folder, std::uint64_t number, std::uint64_t width, std::string_view content) {
  const auto file = tile_file(level_folder, number, width);
  std::filesystem::create_directories(file.parent_path());
  fs::write_file(file, content);
}

std::string append_item(const fs::Path& level_folder, std::uint64_t index, std::string_view item, std::size_t limit) {
  const auto number = index / tile_width;
  const auto width = index % tile_width;
  std::string content = width == 0 ? std::string{} : read_part(tile_file(level_folder, number, width), limit);
  content += item;
  write_tile(level_folder, number, width + 1, content);
  return content;
}

std::string_view hash_text(const TreeHash& hash) {
  return as_text(hash);
}

TreeHash hash_at(std::string_view tile, std::uint64_t index) {
  TreeHash out{};
  const auto bytes = as_bytes(tile).subspan(index * out.size(), out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

}  // namespace

TileLog::TileLog(fs::Path folder, std::string name, const SeenCheckpoints* seen)
    : m_folder(std::move(folder)), m_name(std::move(name)), m_seen(seen) {
  if (!is_log_name(m_name)) {
    throw Error{ErrorKind::usage,
                fmt::format("not a name for a log (letters, digits, '-', '.', '_', '/'): '{}'", printable(m_name))};
  }
}

std::optional<Checkpoint> TileLog::checkpoint(const crypto::PublicKey& key) const {
  const auto file = m_folder / "checkpoint";
  if (!std::filesystem::exists(file)) {
    if (std::filesystem::exists(m_folder / "tile") || std::filesystem::exists(m_folder / "by-key"))
      damaged(file, "is missing, and entries are there");
    return std::nullopt;
  }
  const auto text = fs::read_file(file, max_note_bytes);
  const auto origin = claimed_origin(text);
  if (origin != m_name) {
    throw Error{ErrorKind::conflict, fmt::format("the folder {} holds the log '{}', not '{}'",
                                                 printable(m_folder.string(), 1024), printable(origin), m_name)};
  }
  auto out = verify_checkpoint(text, key);
  if (root_hash(out.size, hashes(out.size)) != out.root)
    damaged(m_folder / "tile", "holds other hashes than the checkpoint signs");
  return out;
}

/// The log's first entries must be those that were signed before.
void TileLog::require_grown(std::uint64_t size, const crypto::PublicKey& key) const {
  if (m_seen == nullptr) return;
  const auto before = m_seen->of(m_name, key);
  if (!before) return;
  if (before->size <= size && root_hash(before->size, hashes(size)) == before->root) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("the log '{}' in {} has {} entries that are not those {} that this key signed before "
                          "(remembered in {}): bring that log back, or give this one another name",
                          m_name, printable(m_folder.string(), 1024), size, before->size,
                          printable(m_seen->file_of(m_name, key).string(), 1024))};
}

std::string TileLog::sign(std::uint64_t size, const crypto::Signer& signer) {
  auto note = sign_checkpoint({m_name, size, root_hash(size, hashes(size))}, signer);
  fs::write_file(m_folder / "checkpoint", note);
  return note;
}

TreeHash TileLog::stored_hash(unsigned level, std::uint64_t index, std::uint64_t size) const {
  const unsigned tile_level = level / tile_height;
  const unsigned rest = level % tile_height;
  const std::uint64_t first = index << rest;
  const std::uint64_t count = size >> (tile_level * tile_height);  // hashes that this tile level has
  const auto number = first / tile_width;
  const auto file = tile_file(m_folder / "tile" / std::to_string(tile_level), number, width_of(number, count));
  const auto tile = read_part(file, tile_width * sizeof(TreeHash));
  std::vector<TreeHash> row;
  for (std::uint64_t i = 0; i < (std::uint64_t{1} << rest); ++i) {
    const auto at = first % tile_width + i;
    if ((at + 1) * sizeof(TreeHash) > tile.size()) damaged(file);
    row.push_back(hash_at(tile, at));
  }
  for (; row.size() > 1; row.resize(row.size() / 2)) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = node_hash(row[2 * i], row[2 * i + 1]);
  }
  return row.front();
}

HashReader TileLog::hashes(std::uint64_t size) const {
  return [this, size](unsigned level, std::uint64_t index) { return stored_hash(level, index, size); };
}

void TileLog::add_hash(unsigned tile_level, std::uint64_t index, const TreeHash& hash) {
  const auto tile = append_item(m_folder / "tile" / std::to_string(tile_level), index, hash_text(hash),
                                tile_width * sizeof(TreeHash));
  if (index % tile_width != tile_width - 1) return;
  std::vector<TreeHash> row;
  for (std::uint64_t i = 0; i < tile_width; ++i) row.push_back(hash_at(tile, i));
  for (; row.size() > 1; row.resize(row.size() / 2)) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = node_hash(row[2 * i], row[2 * i + 1]);
  }
  add_hash(tile_level + 1, index / tile_width, row.front());
}

void TileLog::write_leaf(std::uint64_t index, std::string_view entry) {
  std::string item;
  item += static_cast<char>(entry.size() >> 8U);
  item += static_cast<char>(entry.size() & 0xffU);
  item += entry;
  append_item(m_folder / "tile" / "entries", index, item, max_bundle_bytes);
  add_hash(0, index, leaf_hash(as_bytes(entry)));
}

std::string TileLog::read_entry(std::uint64_t index, std::uint64_t size) const {
  const auto number = index / tile_width;
  const auto file = tile_file(m_folder / "tile" / "entries", number, width_of(number, size));
  const auto bundle = read_part(file, max_bundle_bytes);
  std::string_view rest = bundle;
  for (std::uint64_t i = number * tile_width;; ++i) {
    if (rest.size() < 2) damaged(file);
    const std::size_t length =
        static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8U | static_cast<unsigned char>(rest[1]);
    if (rest.size() < 2 + length) damaged(file);
    if (i == index) return std::string{rest.substr(2, length)};
    rest.remove_prefix(2 + length);
  }
}

/// `<index> <leaf hash>`. Written before the checkpoint: after a kill in between, that place may be beyond the log's
/// end, or another entry's.
std::optional<std::uint64_t> TileLog::find(std::string_view key, std::uint64_t size) const {
  const auto file = key_file(key);
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto text = fs::read_file(file, 128);
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc{}) damaged(file);
  const auto hash =
      std::string_view{text}.substr(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
  if (index >= size || to_hex(stored_hash(0, index, size)) != hash) return std::nullopt;
  return index;
}

fs::Path TileLog::key_file(std::string_view key) const {
  return m_folder / "by-key" / std::string{crypto::sha256(key).hex()};
}

Inclusion TileLog::append_once(std::string_view key, std::string_view entry, const crypto::Signer& signer) {
  if (entry.size() > max_entry_bytes)
    throw Error{ErrorKind::invalid_input, "an entry of a log has at most 65,535 bytes"};
  (void)vkey_of(m_name, signer.public_key());  // refuses a key of another type
  std::error_code error;
  std::filesystem::create_directories(m_folder, error);
  if (error) fs::throw_errno("create the folder", m_folder, error.value());
  const fs::FileLock lock{m_folder / ".lock", std::chrono::seconds{30}};
  const auto key_of_log = signer.public_key();
  const auto last = checkpoint(key_of_log);
  auto count = last ? last->size : 0;
  require_grown(count, key_of_log);
  Inclusion out;
  out.checkpoint = last ? fs::read_file(m_folder / "checkpoint", max_note_bytes) : sign(0, signer);
  if (const auto present = find(key, count)) {
    out.index = *present;
  } else {
    out.index = count;
    std::filesystem::create_directories(m_folder / "by-key");
    write_leaf(count, entry);
    fs::write_file(key_file(key), fmt::format("{} {}", count, to_hex(leaf_hash(as_bytes(entry)))));
    ++count;
    out.checkpoint = sign(count, signer);
  }
  if (m_seen != nullptr) m_seen->remember(m_name, key_of_log, out.checkpoint);
  out.entry = read_entry(out.index, count);
  out.path = inclusion_path(out.index, count, hashes(count));
  return out;
}

void verify_inclusion(const Inclusion& inclusion, std::string_view name, const crypto::PublicKey& key) {
  const auto checkpoint = verify_checkpoint(inclusion.checkpoint, key);
  if (checkpoint.origin != name) {
    throw Error{ErrorKind::verification_failed, fmt::format("the checkpoint is of the log '{}', not of '{}'",
                                                            printable(checkpoint.origin), printable(name))};
  }
  if (!path_leads_to(checkpoint.root, leaf_hash(as_bytes(inclusion.entry)), inclusion.index, checkpoint.size,
                     inclusion.path)) {
    throw Error{
        ErrorKind::verification_failed,
        fmt::format("the inclusion proof does not lead from the entry to the root of the log '{}'", printable(name))};
  }
}

}  // namespace capsule::anchor
