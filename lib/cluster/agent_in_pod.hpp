#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cluster/pod_state.hpp"
#include "deploy/run_record.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What capsule-agent in a pod says of its processes (GET /v1/pool); null where it says nothing. `on_wait` as
/// kube::PodRequest has it: an Error busy of it goes on.
json::Value pool_of_agent(kube::Client& client, const kube::Name& pod, const std::function<void()>& on_wait);

/// Why it takes no run, one line; empty where it does not say. Pure. `pool`: of pool_of_agent().
std::string why_not_ready(const std::string& pod, const json::Value& pool);

/// capsule-agent in a pod that a run has claimed.
class AgentInPod {
 public:
  /// How long it is waited for.
  struct Limits {
    std::chrono::milliseconds run;    ///< which the agent keeps by itself
    std::chrono::milliseconds grace;  ///< how long past that it may say that the run goes on
    std::function<void()> on_wait{};  ///< called about once a second; what it throws ends the wait
  };
  /// What became of a run in it.
  struct Answer {
    enum class Kind {
      outcome,      ///< it has ended, or failed, as `outcome` says
      of_no_use,    ///< the pod is gone, or no process waits in it: there was no run
      not_in_time,  ///< it goes on, past limit and grace
    };
    Kind kind{};
    json::Value outcome{};  ///< as deploy::outcome_from reads it
  };

  AgentInPod(kube::Client& client, const std::string& ns, PodState pod, Limits limits);

  /// Asks for the run, which is one whoever asks twice, and waits until it is over. Error: it may go on in the pod,
  /// which cannot be reached now; what Limits::on_wait throws.
  Answer run(const deploy::RunRequest& request);

 private:
  http::Response begin(const kube::PodRequest& post, const kube::PodRequest& get);
  Answer await_outcome(const kube::PodRequest& post, const kube::PodRequest& get);
  [[nodiscard]] bool is_alive() const;
  [[nodiscard]] bool is_of_no_use_after(const Error& error) const;
  [[nodiscard]] std::function<void()> while_alive() const;

  kube::Client& m_client;
  kube::Name m_name;
  PodState m_pod;
  Limits m_limits;
};

}  // namespace capsule::cluster
