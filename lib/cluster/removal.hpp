#pragma once

#include <chrono>
#include <string>

#include "cluster/turn.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// Removes the ProofedDeployment object, all that it owns, and the deployment's Lease; waits until its pods are gone.
/// Nothing there is fine. What it owned and was orphaned goes too; what bears one of our names and is none that a
/// deploy made stays, as does a Lease that another deploy has taken meanwhile. Error timed_out; busy where a deploy of
/// that name is at work longer than that (`holder` is who waits for it); conflict where the object is none that we have
/// deployed; not_found where the cluster knows no such kind.
void remove_deployment(kube::Client& client, const std::string& ns, const std::string& name,
                       std::chrono::milliseconds patience, const std::string& holder = holder_name());

/// Removes the Lease of a deployment that has no object, unless whoever has waited for it has taken it since.
void remove_idle_lease(kube::Client& client, const std::string& ns, const std::string& name);

}  // namespace capsule::cluster
