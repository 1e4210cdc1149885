#pragma once

#include <optional>
#include <string>

#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "fs/lock.hpp"
#include "json/value.hpp"

namespace generate_proof {

/// What a proof in progress must not forget when it is killed: the UTID before the hook runs; what the hook gave before
/// the service is told to verify it (afterwards the service stores another hash, so that this is the only word on it).
struct Remembered {
  std::string service;  ///< where: an URL, or "embedded"
  std::string utid;
  std::string proof_id;                        ///< empty: the hook has not answered yet
  capsule::json::Value evidence;               ///< null until then
  std::optional<capsule::json::Value> replay;  ///< what the replay came to, once it is done
};

/// One proof's memory, a file below `folder` whose name is locked while this lives: Error busy where another process
/// works on the same proof for longer than some seconds.
class ProofMemory {
 public:
  ProofMemory(const capsule::fs::Path& folder, const capsule::Digest& version_index, const capsule::Digest& run_record);

  /// Nothing where there is nothing, where it is of another service, or where it cannot be read any more.
  [[nodiscard]] std::optional<Remembered> recall(const std::string& service) const;
  /// Whether an earlier call remembered anything that no call forgot.
  [[nodiscard]] bool is_begun() const { return std::filesystem::exists(m_file); }
  /// Durable when it returns.
  void remember(const Remembered& what) const;
  /// The proof is published.
  void forget() const noexcept;

 private:
  capsule::fs::Path m_file;
  capsule::fs::NumberedLock m_lock;
};

}  // namespace generate_proof
