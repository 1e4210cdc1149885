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

#include "deploy/workload.hpp"
#include "waiting_run.hpp"

namespace agent {

/// What a pool says of itself.
struct PoolState {
  unsigned ready = 0;
  unsigned replicas = 0;
  std::optional<std::string> cold;  ///< why there will be no waiting process
};

/// What is asked of a waiting process.
struct Claim {
  std::string run_id;
  capsule::json::Value input;  ///< {parameters, seed, budget}
  std::chrono::milliseconds time_limit{};
};

/// Keeps waiting processes and gives each to one run, ever. What a run left stays, for the last `kept_runs`.
class Pool {
 public:
  static constexpr std::size_t kept_runs = 16;
  enum class Claimed { yes, before, conflict, none_ready };

  Pool(capsule::deploy::Workload workload, unsigned replicas);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /// Ends what waits and what runs.
  ~Pool();

  [[nodiscard]] PoolState state();
  /// A waiting process for this run. The same run again is `before` while it runs and once it has a result, and is run
  /// again where it failed; with another input, `conflict`.
  Claimed claim(const Claim& claim);
  /// The run as GET /v1/runs/<run_id> answers it, {run_id, state: running|done, outcome}; waits up to `patience` for
  /// its end. Nothing for a run that is not known.
  std::optional<capsule::json::Value> find(const std::string& run_id, std::chrono::milliseconds patience);

 private:
  struct Run {
    std::string run_id;
    std::string input_digest;
    std::unique_ptr<WaitingRun> process;
    std::optional<capsule::json::Value> outcome;
    std::thread thread;
  };

  void keep_filled();
  void look_after_waiting();
  void serve(Run& run, const Claim& claim);
  Run* run_named(const std::string& run_id);
  void forget(const std::string& run_id);  ///< one that is over
  void forget_old_runs();

  const capsule::deploy::Workload m_workload;
  const unsigned m_replicas;
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
