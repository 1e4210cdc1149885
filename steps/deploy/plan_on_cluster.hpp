#pragma once

#include <string>

#include "cluster/plan.hpp"
#include "cluster_site.hpp"

namespace deploy_step {

/// Says what of a deploy (on_cluster.hpp) is missing in the namespace, and changes nothing.
void plan_on_cluster(const Order& order, const std::string& ns, capsule::step::Context& step);

/// The same of the object that was read, for a deploy that looks whether there is anything to do; what has failed a
/// while ago counts as that. `options_digest`: as cluster::PlanWish has it.
capsule::cluster::Plan plan_there(const ClusterSite& site, const capsule::deploy::RunWish& run,
                                  const std::string& options_digest);

}  // namespace deploy_step
