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
  std::string unattached{};  ///< a record that was kept and perhaps not attached; empty: none
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
  /// What is returned is on disk.
  LedgerEntry begin(const RunWish& wish, NewRun new_run);
  /// Keeps the record of a run that begin() returned until finish(): whoever is killed in between attaches the same
  /// bytes again, and the run has one record.
  void keep(const RunWish& wish, const LedgerEntry& entry, const std::string& record);
  /// The record's digest for a run that begin() returned.
  void finish(const RunWish& wish, const LedgerEntry& entry);

 private:
  [[nodiscard]] fs::Path file_of(const RunWish& wish) const;
  [[nodiscard]] fs::Path kept_record_of(const RunWish& wish, const LedgerEntry& entry) const;
  fs::Path m_folder;
};

}  // namespace capsule::deploy
