#pragma once

#include <optional>
#include <string>

#include "core/digest.hpp"
#include "deploy/run_record.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

/// A run that was begun; its record once it is made, and the digest of that once it is attached.
struct LedgerEntry {
  RunRequest request;
  std::optional<Digest> record;
  std::string text{};  ///< the record; empty: none was made, or it is lost
};

/// What is asked for, before a seed and an ordinal are chosen.
struct RunWish {
  Digest capsule_digest;
  std::string target;
  json::Value parameters;
  std::uint64_t budget = 0;
  std::optional<std::uint64_t> seed;  ///< nothing: drawn
};

enum class NewRun { no, yes };

/// Remembers which runs were begun, one small file per wish below a folder: seed and ordinal are durable before the run
/// starts, so that a retry is the same run and is billed once.
class RunLedger {
 public:
  explicit RunLedger(fs::Path folder);
  /// The run in progress or done for this wish, or a new one: always a new one, with the next ordinal, for NewRun::yes.
  /// What is returned is on disk. Error invalid_input where the file says another seed than the wish.
  LedgerEntry begin(const RunWish& wish, NewRun new_run);
  /// Keeps the text of a run that begin() returned, for good: whoever is killed after that, or wants it in another
  /// registry, attaches the same bytes again, and the run has one record.
  void keep(const LedgerEntry& entry);
  /// The record's digest for a run that begin() returned.
  void finish(const RunWish& wish, const LedgerEntry& entry);

 private:
  [[nodiscard]] fs::Path file_of(const RunWish& wish) const;
  [[nodiscard]] fs::Path record_file_of(const LedgerEntry& entry) const;
  [[nodiscard]] std::string kept_record(const LedgerEntry& entry) const;
  fs::Path m_folder;
};

}  // namespace capsule::deploy
