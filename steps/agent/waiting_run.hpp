#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "deploy/workload.hpp"

namespace agent {

/// One process of the capsule that was started with CAPSULE_WARM=1, confined before its first line ran, and waits for
/// the one run that it is there for; or one that was started for its run, cold.
class WaitingRun {
 public:
  enum class Start { warm, cold };
  /// How long a runner may load until its line {"ready":true} must be there.
  static constexpr std::chrono::seconds patience{10};

  /// Errors as deploy::runner_command() and process::run().
  explicit WaitingRun(const capsule::deploy::Workload& workload, Start start = Start::warm);
  WaitingRun(const WaitingRun&) = delete;
  WaitingRun& operator=(const WaitingRun&) = delete;
  ~WaitingRun() = default;

  [[nodiscard]] bool is_ready() const noexcept { return m_ready; }
  /// Why it will never be ready, or is not any more; nothing while it may be.
  [[nodiscard]] std::optional<std::string> failure();
  [[nodiscard]] int pid() const noexcept { return m_process.pid(); }

  /// The run: gives it its input and waits for its end, or ends it at the limit. Once. Its stdout is what came after
  /// the line that said ready, where it waited.
  capsule::deploy::Finished run(const capsule::json::Value& input, std::chrono::milliseconds time_limit);
  /// Ends a run that another thread is in.
  void cancel() noexcept { m_cancelled = true; }

 private:
  capsule::process::Command command(const capsule::deploy::Workload& workload);

  const Start m_start;
  mutable std::mutex m_mutex;
  std::optional<std::string> m_first_line;
  std::atomic<bool> m_ready = false;
  std::atomic<bool> m_cancelled = false;
  std::chrono::steady_clock::time_point m_started = std::chrono::steady_clock::now();
  capsule::process::Background m_process;  // last: its thread uses the others
};

}  // namespace agent
