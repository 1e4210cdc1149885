#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "deploy/run_ledger.hpp"

namespace capsule::cluster {

/// Which runs of a deployment were begun, and the records of those that are done: the text of annotation::runs of its
/// ProofedDeployment object. Written under a precondition of the object's resourceVersion, before the run: the first
/// writer wins, later ones find the run here, so that a retry is the same run and is billed once. The last 64 wishes
/// stay. Where one had to go, or of a damaged text nothing is kept, the book is incomplete from then on: which runs
/// there were is on record in the registry alone. Pure but for the seeds that are drawn.
class RunBook {
 public:
  RunBook() = default;
  static RunBook parse(const std::string& text);
  [[nodiscard]] std::string text() const;

  /// The run in progress or done for this wish; nothing where there is none, or another one is wanted.
  [[nodiscard]] std::optional<deploy::LedgerEntry> find(const deploy::RunWish& wish) const;
  /// The digest of the record of that run, empty where it has none yet; nothing: no such run was begun.
  [[nodiscard]] std::optional<std::string> record_of(std::string_view run_id) const;
  /// A new one, with the next ordinal of its capsule and parameters: above `used`, the highest that is on record.
  deploy::LedgerEntry begin(const deploy::RunWish& wish, std::uint64_t used = 0);
  /// The digest of its record.
  void finish(const deploy::RunWish& wish, const deploy::LedgerEntry& entry);

  /// Whether any run is done.
  [[nodiscard]] bool has_record() const;
  [[nodiscard]] bool is_empty() const noexcept { return m_runs.empty(); }
  /// Whether there may have been runs that it does not know: its text was lost or damaged once, or there was no
  /// room for all. The text says so, too.
  [[nodiscard]] bool is_incomplete() const noexcept { return m_is_incomplete; }
  void set_incomplete() noexcept { m_is_incomplete = true; }

 private:
  void keep(const std::string& key, const deploy::LedgerEntry& entry);

  json::Object m_runs;
  bool m_is_incomplete = false;
};

}  // namespace capsule::cluster
