#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "deploy/workload.hpp"
#include "http/curl_client.hpp"

namespace deploy_step {

/// The waiting processes of one deployment on this machine. capsule-agent owns them, detached; it is reached through a
/// UNIX socket in `folder`, which only our user may enter, and ends when that socket is taken away.
class WarmPool {
 public:
  struct Wish {
    capsule::fs::Path folder;
    capsule::deploy::Workload workload;
    capsule::Digest capsule;
    unsigned replicas = 1;
    std::chrono::milliseconds time_limit{};  ///< of a run
    double watts = 0;                        ///< of one busy core
  };
  /// How many processes wait, and if none does, why.
  struct Readiness {
    unsigned ready = 0;
    std::string reason;
  };

  explicit WarmPool(Wish wish);

  /// Finds the agent, or starts one in place of what is left of another, and waits until a process is ready. Never an
  /// error: a run can always be a cold one.
  Readiness warm();
  /// The run, in a waiting process: one that was claimed for it already goes on. Nothing where there is none, or it is
  /// lost; cold_reason() says why. Errors: those of the run itself (deploy::outcome_from).
  std::optional<capsule::deploy::RunFacts> run(const capsule::deploy::RunRequest& request);
  [[nodiscard]] const std::string& cold_reason() const noexcept { return m_cold_reason; }
  /// Processes that wait now; waits up to `patience` for as many as there should be.
  unsigned refilled(std::chrono::milliseconds patience);

  /// Ends the agent of a folder, whatever state it is in, and removes the folder; nothing there is fine. Error busy
  /// where it does not end.
  static void end(const capsule::fs::Path& folder);

 private:
  struct State;
  void make_private_folder();
  State ask();
  void start();
  Readiness wait_until_ready();
  std::optional<capsule::json::Value> outcome_of(const capsule::deploy::RunRequest& request);
  capsule::http::Response send(capsule::http::Method method, const std::string& path, std::string body = {},
                               std::optional<std::chrono::milliseconds> time_limit = {});

  Wish m_wish;
  capsule::fs::Fd m_folder;
  std::optional<capsule::http::CurlClient> m_client;
  std::string m_cold_reason;
};

}  // namespace deploy_step
