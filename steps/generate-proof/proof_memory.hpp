#pragma once

#include <optional>
#include <string>

#include "cluster/shared_proof.hpp"
#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "fs/lock.hpp"
#include "json/value.hpp"

namespace generate_proof {

/// What a proof in progress must not forget when it is killed: the UTID before the hook runs; what the hook gave before
/// the service is told to verify it (afterwards the service stores another hash, so that this is the only word on it).
/// The proof_id without evidence: another place has forgotten the rest, and the hook is asked again, for that proof.
struct Remembered {
  std::string service;  ///< where: an URL, or `embedded`
  std::string utid;
  std::string proof_id;                        ///< empty: the hook has not answered yet
  capsule::json::Value evidence;               ///< null until then
  std::optional<capsule::json::Value> replay;  ///< what the replay came to, once it is done
};

/// Our own proof service, for as long as a proof takes: its database is in the state folder, and shared with nobody.
inline constexpr std::string_view embedded = "embedded";

/// One proof's memory, a file below `folder` whose name is locked while this lives: another process that works on the
/// same proof is waited for, as long as `patience`; then Error busy.
class ProofMemory {
 public:
  ProofMemory(const capsule::fs::Path& folder, const capsule::Digest& version_index, const capsule::Digest& run_record,
              std::chrono::milliseconds patience);

  /// On a cluster: UTID and proof_id are remembered in the capsule's object too, whose word comes first.
  void share(capsule::cluster::SharedProof& shared) { m_shared = &shared; }
  /// Nothing where there is nothing, where it is of another service, or where it cannot be read any more.
  [[nodiscard]] std::optional<Remembered> recall(const std::string& service) const;
  /// Whether an earlier call remembered anything that no call forgot.
  [[nodiscard]] bool is_begun() const;
  /// Durable when it returns. Error busy where another one is at work with the capsule's object.
  void remember(const Remembered& what) const;
  /// The proof is published.
  void forget() const noexcept;

 private:
  [[nodiscard]] std::optional<Remembered> recall_here(const std::string& service) const;

  capsule::fs::Path m_file;
  capsule::fs::NumberedLock m_lock;
  capsule::cluster::SharedProof* m_shared = nullptr;
};

}  // namespace generate_proof
