#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cluster/objects.hpp"
#include "core/digest.hpp"
#include "kube/lease.hpp"

namespace capsule::cluster {

/// Our turn to prove a run: holds Lease `capsule-proof-<16 digits of the run record's digest>`, and renews it on a
/// thread of its own. A lease is removed at the end: there is one for each run that is proven.
class ProofTurn {
 public:
  /// `client` is for this alone. Waits for another proof of this run, as long as `patience`, and in any case until it
  /// shows that it lives: one that was killed is taken over once its lease has run out, half a minute later. Whoever
  /// has waited may find the run proved. Error busy after that.
  ProofTurn(kube::Client& client, const std::string& ns, const Digest& run_record, std::chrono::milliseconds patience);
  ProofTurn(const ProofTurn&) = delete;
  ProofTurn& operator=(const ProofTurn&) = delete;
  /// As give_back().
  ~ProofTurn();

  /// As Turn::belong_to.
  [[nodiscard]] bool belong_to(const std::optional<Owner>& owner);
  /// Error busy: it is lost.
  void require();
  /// Removes the lease, if it is still ours. From any thread.
  void give_back();

 private:
  void keep();

  kube::Client& m_client;
  const kube::Name m_name;
  const std::string m_holder;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  kube::Lease m_lease;
  std::string m_loss;  ///< why it is lost; empty: it is not
  bool m_is_over = false;
  std::thread m_keeper;
};

}  // namespace capsule::cluster
