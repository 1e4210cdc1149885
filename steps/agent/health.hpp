#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "deploy/workload.hpp"

namespace agent {

/// What healthcheck.sh says, for probes that wait a second: it is asked by a thread of its own, when a probe wants to
/// know and its last answer is too old.
class Health {
 public:
  Health(const capsule::deploy::Workload& workload, std::chrono::milliseconds time_limit);
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;
  /// Waits for a check that goes on.
  ~Health();

  /// Empty: it was content at most 30 s ago, or is being asked again since. Else why not. Answers within a second.
  std::string illness();
  /// The same, as far as it is known: asks nothing.
  std::string last_illness();

 private:
  void check();

  const capsule::deploy::Workload& m_workload;
  const std::chrono::milliseconds m_time_limit;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::optional<std::chrono::steady_clock::time_point> m_answered;
  bool m_checking = false;
  std::string m_illness;
  std::thread m_thread;
};

}  // namespace agent
