#pragma once

#include <string>

#include "cluster/deployed_object.hpp"
#include "deploy/deployment_status.hpp"

namespace capsule::cluster {

/// Puts a checked proof into the status of the ProofedDeployment object, and onto its live pods. False where there is
/// no object of that name, or the proof is not of its last run. Said twice, it changes nothing.
bool note_proof(kube::Client& client, const std::string& ns, const std::string& name, const deploy::ProofOfRun& proof);

/// Pods that wait carry the annotations `utid`, `proofHash` and `proofId` of a proved object; the pod template never
/// does, since that would restart the pool that was just proved. Patches those that lack them.
void mark_pods(kube::Client& client, const json::Value& object);

}  // namespace capsule::cluster
