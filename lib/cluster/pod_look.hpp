#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/pod_owner.hpp"
#include "cluster/pod_state.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// The pods of one deployment as a watch shows them, looked at for one run.
class PodLook {
 public:
  /// `run_id`: empty where a pod is wanted that may have any. `members`: which pods count; outlives this.
  PodLook(std::string run_id, PoolMembers& members) : m_run_id(std::move(run_id)), m_members(members) {}

  void take(const kube::Event& event);

  /// The pod that has this run, else one that is ready for it.
  [[nodiscard]] std::optional<PodState> usable() const;
  /// How many are ready, and nobody's.
  [[nodiscard]] unsigned waiting() const;
  /// Pods that another run has claimed. One deploy at a time: whoever claimed them is gone.
  [[nodiscard]] std::vector<PodState> left_over() const;
  /// Pods that nobody has claimed, and that are not ready all the same.
  [[nodiscard]] std::vector<PodState> unclaimed() const;
  /// No pod that will come up.
  [[nodiscard]] bool is_empty() const;
  /// One that is not ready.
  [[nodiscard]] std::optional<PodState> unready() const;
  /// Why one does not come up.
  [[nodiscard]] std::optional<Trouble> trouble() const;

 private:
  void put(const json::Value& pod);

  std::string m_run_id;
  PoolMembers& m_members;
  std::map<std::string, PodState> m_pods;
};

}  // namespace capsule::cluster
