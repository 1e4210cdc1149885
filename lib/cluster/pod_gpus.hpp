#pragma once

#include "json/value.hpp"

namespace capsule::cluster {

/// The GPUs that the pods of a deployment have: extended resources of the container `runner`, or claims
/// (resource.k8s.io), and where such pods may go.
struct PodGpus {
  json::Object limits;     ///< extended resources, by name
  json::Value claims;      ///< of the container
  json::Value pod_claims;  ///< spec.resourceClaims
  json::Value affinity;    ///< spec.affinity

  [[nodiscard]] bool empty() const { return limits.empty() && claims.is_null(); }
};

/// Of the pod template of a Deployment that deploy made. Pure.
PodGpus gpus_of(const json::Value& pod_template);
/// The same for the container `runner` of another pod of that capsule. Changes nothing where there are none. Pure.
void give_gpus(const PodGpus& gpus, json::Object& pod_spec);

}  // namespace capsule::cluster
