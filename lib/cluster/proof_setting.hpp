#pragma once

#include <optional>
#include <string>

#include "cluster/objects.hpp"
#include "cluster/pod_template.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What a capsule's deployment in a namespace says of the pods that a proof makes there.
struct ProofSetting {
  std::optional<json::Value> passed_on;  ///< spec.template of its ProofedDeployment object
  std::optional<Owner> owner;            ///< that object; nothing where it is not there
};

/// Reads it. Error not_found where the pods are to download the capsule, and the ConfigMap is not there that they hold
/// it against: they would wait for it in vain. Errors of kube::Client.
ProofSetting find_proof_setting(kube::Client& client, const std::string& ns, const Manifest& manifest,
                                CapsuleVolume volume);

}  // namespace capsule::cluster
