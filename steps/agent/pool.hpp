#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "claims.hpp"
#include "deploy/run_outcome.hpp"
#include "deploy/workload.hpp"
#include "waiting_run.hpp"

namespace agent {

struct PoolSize {
  unsigned replicas = 1;         ///< processes that wait; 0: none, a run's process is started for it
  std::optional<unsigned> runs;  ///< as many as there may ever be; then one whose process cannot wait is started for it
  capsule::fs::Path claims;      ///< with `runs`: the file that remembers them
};

/// What a pool says of itself.
struct PoolState {
  unsigned ready = 0;
  unsigned replicas = 0;
  std::optional<std::string> cold;    ///< why there will be no waiting process
  std::optional<unsigned> runs_left;  ///< where they are limited
  bool takes_run = false;             ///< a claim that comes now is a run
  bool is_at_work = false;            ///< a run goes on
};

/// What is asked of a waiting process.
struct Claim {
  std::string run_id;
  capsule::json::Value input;  ///< {parameters, seed, budget}
  std::chrono::milliseconds time_limit{};
};

/// Keeps waiting processes and gives each to one run, ever. What a run left stays, for the last `kept_runs`. A run that
/// an agent before this one had claimed (PoolSize::claims) has failed: nobody knows how far it came.
class Pool {
 public:
  static constexpr std::size_t kept_runs = 16;
  enum class Claimed { yes, before, conflict, none_ready, used };

  /// Error invalid_input for a damaged file of claims.
  Pool(capsule::deploy::Workload workload, PoolSize size);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /// Ends what waits and what runs.
  ~Pool();

  [[nodiscard]] PoolState state();
  /// A waiting process for this run. The same run again is `before` while it runs and once it has a result, and is run
  /// again where it failed and a run is left; with another input, `conflict`. `used`: no run is left. Errors as
  /// Claims::add(): it does not run then.
  Claimed claim(const Claim& claim);
  /// The run as GET /v1/runs/<run_id> answers it, {run_id, state: running|done, outcome}; waits up to `patience` for
  /// its end. Nothing for a run that is not known.
  std::optional<capsule::json::Value> find(const std::string& run_id, std::chrono::milliseconds patience);

 private:
  struct Run {
    std::string run_id;
    std::string input_digest;
    std::unique_ptr<WaitingRun> process;  ///< none: to be started for it, or known from before
    std::optional<capsule::json::Value> outcome;
    std::thread thread;
    std::string cold{};  ///< why it was started for this run
  };

  void keep_filled();
  void look_after_waiting();
  void serve(Run& run, const Claim& claim);
  [[nodiscard]] std::unique_ptr<WaitingRun> started_cold() const;
  capsule::deploy::RunOutcome outcome_of(Run& run, const Claim& claim);
  [[nodiscard]] std::optional<unsigned> runs_left() const;
  [[nodiscard]] std::optional<std::string> reason_for_cold() const;
  Run* run_named(const std::string& run_id);
  void forget(const std::string& run_id);  ///< one that is over
  void forget_old_runs();

  const capsule::deploy::Workload m_workload;
  const PoolSize m_size;
  Claims m_claims;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::vector<std::unique_ptr<WaitingRun>> m_waiting;
  std::list<Run> m_runs;  ///< oldest first; the addresses stay
  unsigned m_running = 0;
  unsigned m_failures = 0;  ///< processes that died while they waited, since the last claim
  std::optional<std::string> m_cold;
  bool m_ending = false;
  std::thread m_keeper;
};

}  // namespace agent
