#pragma once

#include <optional>
#include <string>

#include "cluster/objects.hpp"
#include "cluster/pod_gpus.hpp"
#include "cluster/pod_template.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What a capsule's deployment in a namespace says of the pods that a proof makes there.
struct ProofSetting {
  std::optional<json::Value> passed_on;  ///< spec.template of its ProofedDeployment object
  std::optional<Owner> owner;            ///< that object; nothing where it is not there
  PodGpus gpus;                          ///< of the deployment's pods, where the capsule wants one
};

/// Why a pod that is to have GPUs finds none, in words for an error: how many pods of the deployment have one. Empty
/// where there are none. Errors of kube::Client.
std::string who_holds_gpus(kube::Client& client, const std::string& ns, const std::string& capsule);

/// Reads it. Error not_found where the pods are to download the capsule, and the ConfigMap is not there that they hold
/// it against: they would wait for it in vain; conflict where it is damaged. Errors of kube::Client.
ProofSetting find_proof_setting(kube::Client& client, const std::string& ns, const Manifest& manifest,
                                CapsuleVolume volume);

}  // namespace capsule::cluster
