#pragma once

#include <optional>
#include <string>
#include <vector>

#include "anchor/checkpoint.hpp"
#include "anchor/merkle.hpp"
#include "anchor/seen_checkpoints.hpp"
#include "fs/fd.hpp"

namespace capsule::anchor {

/// What shows that an entry is in a log: the receipt's core.
struct Inclusion {
  std::uint64_t index = 0;
  std::string entry;           ///< the bytes that were logged
  std::string checkpoint;      ///< a signed note that commits to them
  std::vector<TreeHash> path;  ///< from the leaf up
};

/// An append-only log in a folder, in the layout of C2SP tlog-tiles: `checkpoint`, `tile/<level>/<n>[.p/<width>]`,
/// `tile/entries/<n>[.p/<width>]`. Any web server makes it a log that stock clients read. Beside it `by-key/<sha256>`
/// finds an entry again. One writer at a time (flock); a reader sees the last checkpoint.
class TileLog {
 public:
  /// `name` is the log's origin. A folder that holds a log of another name is Error conflict.
  /// `seen` may be null: then it is not noticed when an old copy is put back.
  TileLog(fs::Path folder, std::string name, const SeenCheckpoints* seen);

  /// Appends `entry` (at most 65,535 bytes) unless one was logged under `key` before, and gives the proof of the one
  /// that is there. The folder is made if it is missing. Before anything is written the log is checked: Error usage for
  /// a key that is none for logs, those of checkpoint(), and verification_failed where the log is not what `seen`
  /// remembers, or more. Killed at any moment, the next call completes: the checkpoint is written last, and a new log
  /// begins with that of no entries.
  Inclusion append_once(std::string_view key, std::string_view entry, const crypto::Signer& signer);

  /// The last checkpoint, held against `key` and against the tiles; nothing in a folder without a log. Errors: conflict
  /// for a log of another name; verification_failed for another signer, other tiles than were signed, or entries
  /// without a checkpoint.
  [[nodiscard]] std::optional<Checkpoint> checkpoint(const crypto::PublicKey& key) const;

 private:
  void require_grown(std::uint64_t size, const crypto::PublicKey& key) const;
  std::string sign(std::uint64_t size, const crypto::Signer& signer);
  [[nodiscard]] std::optional<std::uint64_t> find(std::string_view key, std::uint64_t size) const;
  [[nodiscard]] fs::Path key_file(std::string_view key) const;
  void write_leaf(std::uint64_t index, std::string_view entry);
  void add_hash(unsigned tile_level, std::uint64_t index, const TreeHash& hash);
  [[nodiscard]] TreeHash stored_hash(unsigned level, std::uint64_t index, std::uint64_t size) const;
  [[nodiscard]] std::string read_entry(std::uint64_t index, std::uint64_t size) const;
  [[nodiscard]] HashReader hashes(std::uint64_t size) const;

  fs::Path m_folder;
  std::string m_name;
  const SeenCheckpoints* m_seen;
};

/// Throws Error verification_failed unless `inclusion` proves, under the log's `key`, that its entry is in the log
/// `name`.
void verify_inclusion(const Inclusion& inclusion, std::string_view name, const crypto::PublicKey& key);

}  // namespace capsule::anchor
