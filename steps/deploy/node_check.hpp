#pragma once

#include "capsule/manifest.hpp"
#include "cluster/capability.hpp"
#include "cluster_site.hpp"

namespace deploy_step {

/// Holds the manifest against the cluster's nodes, and with GPUs against what runs there already, as far as we may see
/// it. What is waived and met is the report's; where something is unmet, the log has the table of all nodes. Errors of
/// cluster::check_nodes, cluster::find_gpu_claim and kube::Client.
capsule::cluster::ClusterCheck check_nodes(const ClusterSite& site, const capsule::Manifest& manifest);

/// Warns of what the object's spec.template asks for in vain. Where an operator may make the pods, that is its affair.
void warn_of_template(const ClusterSite& site);

}  // namespace deploy_step
