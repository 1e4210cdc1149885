#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/pod_owner.hpp"
#include "cluster/pod_state.hpp"
#include "deploy/run_outcome.hpp"
#include "deploy/run_record.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// A run that is over, and where it was.
struct PodRun {
  deploy::RunOutcome outcome;
  PodState pod;
};

/// The waiting pods of one deployment, of one pod template. A run claims one by an annotation under a precondition of
/// its resourceVersion; one run per pod, ever.
class PodPool {
 public:
  struct Wish {
    std::string ns;
    std::string name;          ///< of the capsule; its Deployment is <name>-deploy
    std::string pod_template;  ///< label::pod_template of the pods that count
    std::string deployment;    ///< uid of that Deployment: no other pods count; empty: by its name (PoolMembers)
    json::Value deployed{};    ///< its pod template as it is: none of a former one count (PoolMembers); null: all do
    std::chrono::milliseconds time_limit{};  ///< of the roll-out, and of a run: each
    /// How long trouble that may pass by itself (no room, a registry that is away) is waited for.
    std::chrono::milliseconds patience{std::chrono::seconds{20}};
    /// How long past its time limit an agent may say of a run that it goes on.
    std::chrono::milliseconds grace{std::chrono::minutes{2}};
    double watts = 15;                ///< of one busy core, where the processor measures no energy
    std::function<void()> on_wait{};  ///< called about once a second; what it throws ends the wait
  };

  PodPool(kube::Client& client, Wish wish)
      : m_client(client),
        m_wish(std::move(wish)),
        m_members(client, m_wish.ns, {deployment_name(m_wish.name), m_wish.deployment}, m_wish.deployed) {}

  /// Waits, by a watch, until a pod is ready that no run has claimed, or that this run has. Error: why no pod comes up
  /// (pod_state.hpp); timed_out, with what the agent says of it; not_found where the Deployment was deleted.
  PodState wait_until_ready(const std::string& run_id);
  /// How many pods wait for a run, when they were last looked at.
  [[nodiscard]] unsigned waiting() const noexcept { return m_waiting; }
  /// Why a pod does not come up, when they were last looked at: where wait_until_ready failed for that reason, or
  /// beside one that is ready.
  [[nodiscard]] const std::optional<Trouble>& trouble() const noexcept { return m_trouble; }

  /// The run, in a pod that is claimed for it: the one that has it already goes on. Pods that turn out to be of no use
  /// are deleted, and others taken; one in which it goes on, but that cannot be reached now, is left to the next call.
  /// Errors: those of the run itself (deploy::outcome_from), and of wait_until_ready; timed_out where the agent says
  /// past limit and grace that it goes on.
  PodRun run(const deploy::RunRequest& request, const std::function<void(const PodState&)>& on_claim);
  /// Whether run() failed because the run itself did: the pod that had it is deleted.
  [[nodiscard]] bool has_failed_run() const noexcept { return m_has_failed_run; }
  /// Deletes a pod that had its run, so that another takes its place.
  void discard(const PodState& pod);

 private:
  class Wait;
  [[nodiscard]] kube::Name name_of(const std::string& pod) const;
  bool claim(PodState& pod, const std::string& run_id);
  PodRun outcome_in(const json::Value& answer, const PodState& pod);
  void discard_used(const PodState& pod);
  std::string trouble_of(const PodState& pod);
  std::string words_of(const PodState& pod);
  std::optional<Trouble> trouble_of_making();
  void give_up(const PodState& pod);

  kube::Client& m_client;
  Wish m_wish;
  PoolMembers m_members;
  unsigned m_waiting = 0;
  bool m_has_failed_run = false;
  std::optional<Trouble> m_trouble;
};

}  // namespace capsule::cluster
