#pragma once

#include <string>

#include "order.hpp"

namespace deploy_step {

/// Deploys to a namespace of a Kubernetes cluster (empty: that of the context): verifies the capsule, holds its
/// requirements against the nodes, applies its ProofedDeployment object and its Deployment, runs it once in a pod that
/// waited, and attaches the run record to its version index.
void deploy_on_cluster(const Order& order, const std::string& ns, capsule::step::Context& step);

/// Removes what a deployment has made in the namespace, and nothing else. Runs stay on record in the registry.
void remove_from_cluster(const Options& options, const std::string& ns, capsule::step::Context& step);

}  // namespace deploy_step
