#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "json/value.hpp"

namespace proof_service {

/// The states of a proof, in their order; there is no failed one (the platform's contract).
enum class State { queued, processing, verified, validated };
std::string_view name_of(State state) noexcept;
std::optional<State> parse_state(std::string_view name) noexcept;

/// One proof as it is kept.
struct Proof {
  std::string id;
  State state = State::queued;
  std::string hash;
  std::string owner;  ///< the UTID that asked for it, and that alone may change it; `utid` may name another
  std::optional<std::string> utid;
  std::optional<std::string> domain;
  std::optional<std::string> parent;
  capsule::json::Object inputs;  ///< title, requester, artifacts, proof_types as they were asked
  capsule::json::Value metadata;
  capsule::json::Array anchors;
  capsule::json::Array evidence;
  std::optional<double> score;
};

/// What a list is narrowed by; all that is given must fit.
struct Filter {
  std::optional<std::string> utid;
  std::optional<std::string> domain;
  std::optional<std::string> hash;
  std::optional<std::string> state;
  std::optional<std::string> parent;
  std::optional<std::string> anchor_chain;  ///< with anchor_tx: of the same anchor
  std::optional<std::string> anchor_tx;
  std::uint32_t limit = 50;
  std::uint32_t offset = 0;
};

/// The proofs, in one SQLite file: whatever was answered survives a kill and a power loss (WAL, synchronous=FULL). For
/// several threads at once.
class Store {
 public:
  /// Opens or makes it. Error invalid_input for a file that is something else, usage for a newer version's.
  explicit Store(const capsule::fs::Path& file);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  /// Keeps a new proof under an id that `draw` gives and that is free; returns the id. Error unavailable after 1,000
  /// draws.
  std::string add(const Proof& proof, const std::function<std::string()>& draw);
  [[nodiscard]] std::optional<Proof> get(const std::string& id) const;
  /// Of the proofs of that hash, the one that was made or changed last: who asks for several means that.
  [[nodiscard]] std::optional<Proof> find_by_hash(const std::string& hash) const;
  /// Changes state, anchors, evidence and score of a proof, all or nothing, against every other writer. False where
  /// there is no such proof.
  bool update(const std::string& id, const std::function<void(Proof&)>& change);
  /// Newest first; without their evidence.
  [[nodiscard]] std::vector<Proof> list(const Filter& filter) const;
  /// How many there are in each state.
  [[nodiscard]] std::map<State, std::uint64_t> count_by_state() const;

 private:
  struct Database;
  std::unique_ptr<Database> m_database;
  mutable std::mutex m_mutex;
};

}  // namespace proof_service
