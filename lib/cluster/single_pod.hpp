#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/pod_state.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// Removes a pod that an earlier try left, and waits until it is gone: at most for `patience` (Error busy).
void end_pod(kube::Client& client, const std::string& ns, const std::string& name,
             std::chrono::milliseconds patience = std::chrono::seconds{60});

/// A pod of ours with capsule-agent in it, which goes with this. It is asked for with get: no right to list or watch is
/// needed.
class SinglePod {
 public:
  struct Wish {
    std::string ns;
    json::Object pod;                         ///< metadata.name is its name
    std::chrono::milliseconds start_limit{};  ///< until it is ready
    /// How long trouble that may pass by itself (no room, a quota that is used up, a registry that is away) is waited
    /// for.
    std::chrono::milliseconds patience{std::chrono::seconds{20}};
    std::vector<std::string> before{};  ///< pods of ours on their way out: while they take room, patience has not begun
  };

  /// Makes it; `making` is held meanwhile, and not while it waits. Errors: denied where the pod security standard
  /// refuses it, or who we are may not (the message names verb, resource and account); unavailable where a quota is
  /// used up; busy where there is one of that name.
  SinglePod(kube::Client& client, Wish wish, std::mutex& making);
  SinglePod(const SinglePod&) = delete;
  SinglePod& operator=(const SinglePod&) = delete;
  /// Deletes it; waits for nothing.
  ~SinglePod();

  /// Errors: why it does not come up (pod_state.hpp), with the pod's last words; timed_out.
  void wait_until_ready();
  /// Asks the agent to begin something, and waits for `outcome` in what it says of it afterwards at the same path. A
  /// cluster that cannot be reached for a while is waited for, as long as the pod is alive. Errors: what became of the
  /// pod; timed_out.
  json::Value outcome_of(const kube::PodRequest& post, std::chrono::milliseconds limit);
  /// One request to a port of the pod. Errors as kube::Client::proxy and http::expect_success.
  std::string get(std::uint16_t port, const std::string& path);

 private:
  using Clock = std::chrono::steady_clock;
  /// Why it is not made; nothing: it is.
  std::optional<Error> make(std::mutex& making);
  /// Whether trouble that began then has lasted too long; it begins when it is first asked for, and no pod of ours is
  /// in the way.
  bool is_too_long(std::optional<Clock::time_point>& since);
  /// Error unavailable where nothing goes on in it any more.
  PodState look();
  /// Nothing where the pod is well, but cannot be reached now.
  std::optional<http::Response> answer_to(const kube::PodRequest& request);

  kube::Client& m_client;
  Wish m_wish;
  kube::Name m_name;
  std::string m_uid;
};

}  // namespace capsule::cluster
