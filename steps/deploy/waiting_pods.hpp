#pragma once

#include <chrono>
#include <string>

#include "cluster/pod_pool.hpp"
#include "cluster/roll_out.hpp"
#include "cluster_site.hpp"

namespace deploy_step {

/// By what a pod counts as one of the Deployment's.
enum class Membership {
  by_name,       ///< that of its ReplicaSet
  by_controller  ///< that ReplicaSet itself is looked at, a call for each: none of a former pod template counts
};

/// The pods of what was rolled out.
capsule::cluster::PodPool pods_of(const ClusterSite& site, const capsule::cluster::RollOut& roll_out,
                                  std::chrono::milliseconds time_limit, Membership membership);

/// Waits until a pod is up that has made no run or, unless it is empty, this one; puts back what was there where none
/// comes up. Errors of PodPool::wait_until_ready.
void bring_up(const ClusterSite& site, capsule::cluster::PodPool& pods, capsule::cluster::RollOut& roll_out,
              const std::string& run_id);

/// How many pods wait for a run, and why there are no more of them; empty: nothing keeps them from coming up.
struct FilledPool {
  unsigned waiting = 0;
  std::string shortage{};
};

/// Waits until a pod of the warm pool is up, where no run is to be made. Errors as bring_up().
FilledPool fill_pool(const ClusterSite& site, capsule::cluster::RollOut& roll_out);

/// Waits a while until another pod has come in the place of the one that had the run. That none does is warned of.
/// Errors not_found, busy.
FilledPool refill_pool(const ClusterSite& site, const capsule::cluster::RollOut& roll_out);

}  // namespace deploy_step
