#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "core/digest.hpp"
#include "deploy/workload.hpp"
#include "health.hpp"
#include "pool.hpp"
#include "serve/message.hpp"

namespace agent {

/// What the agent answers:
///
/// | method, path           | answer                                                                             |
/// |------------------------|------------------------------------------------------------------------------------|
/// | GET /healthz           | 200 when healthcheck.sh was content at most 30 s ago, while install.sh goes on, and |
/// |                        | once no run is left; else 503                                                      |
/// | GET /readyz            | 200 when it was content, and a claim that comes now is a run; and while the last    |
/// |                        | run that it may make goes on                                                       |
/// | GET /v1/pool           | {capsule, phase, replicas, ready, cold, runs_left, illness, said}                  |
/// | POST /v1/runs/<run_id> | {parameters, seed, budget, time_limit_ms}: 202 claimed, 200 known, 409, 503        |
/// | GET /v1/runs/<run_id>  | {run_id, state, outcome}, ?wait_ms=N waits for its end; 404                        |
class Service {
 public:
  Service(capsule::deploy::Workload workload, capsule::Digest capsule, PoolSize size,
          std::chrono::milliseconds time_limit);
  /// Runs install.sh unless it is done, then has processes wait. Once; answer() says meanwhile that it goes on. Errors
  /// as deploy::install() and Pool.
  void prepare();
  /// From several threads.
  capsule::serve::Response answer(const capsule::serve::Request& request);

 private:
  capsule::serve::Response healthz();
  capsule::serve::Response readyz();
  capsule::serve::Response pool();
  capsule::serve::Response claim(const std::string& run_id, const std::string& body);
  capsule::serve::Response find(const std::string& run_id, const capsule::serve::Request& request);

  const capsule::deploy::Workload m_workload;
  const capsule::Digest m_capsule;
  const std::chrono::milliseconds m_time_limit;
  const PoolSize m_size;
  Health m_health;
  std::unique_ptr<Pool> m_owned_pool;
  std::atomic<Pool*> m_pool = nullptr;  ///< none while install.sh goes on
  std::mutex m_mutex;
  std::string m_said;  ///< by install.sh, while it goes on: its last line on stderr
};

}  // namespace agent
