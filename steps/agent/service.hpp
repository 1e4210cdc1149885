#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "deploy/workload.hpp"
#include "pool.hpp"
#include "serve/message.hpp"

namespace agent {

/// What the agent answers:
///
/// | method, path           | answer                                                                             |
/// |------------------------|------------------------------------------------------------------------------------|
/// | GET /healthz           | 200 when healthcheck.sh was content at most 30 s ago, else 503                     |
/// | GET /readyz            | the same, and a process waits                                                      |
/// | GET /v1/pool           | {capsule, replicas, ready, cold}; cold: why no process will ever wait, or null     |
/// | POST /v1/runs/<run_id> | {parameters, seed, budget, time_limit_ms}: 202 claimed, 200 known, 409, 503        |
/// | GET /v1/runs/<run_id>  | {run_id, state, outcome}, ?wait_ms=N waits for its end; 404                        |
class Service {
 public:
  Service(capsule::deploy::Workload workload, capsule::Digest capsule, unsigned replicas,
          std::chrono::milliseconds time_limit);
  /// From several threads.
  capsule::serve::Response answer(const capsule::serve::Request& request);

 private:
  capsule::serve::Response probe(bool with_pool);
  capsule::serve::Response pool();
  capsule::serve::Response claim(const std::string& run_id, const std::string& body);
  capsule::serve::Response find(const std::string& run_id, const capsule::serve::Request& request);

  const capsule::deploy::Workload m_workload;
  const capsule::Digest m_capsule;
  const std::chrono::milliseconds m_time_limit;
  std::mutex m_health_mutex;
  std::optional<std::chrono::steady_clock::time_point> m_health_asked;
  std::string m_illness;  ///< empty: healthy
  Pool m_pool;
};

}  // namespace agent
