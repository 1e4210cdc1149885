#pragma once

#include <cstdint>
#include <string>

#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// A ResourceClaimTemplate (resource.k8s.io/v1, "dynamic resource allocation"), by which a pod gets its GPUs instead of
/// an extended resource. The scheduler alone knows which node has devices for it.
struct GpuClaim {
  std::string name;
  std::uint64_t devices = 0;  ///< that it asks for, at least
};

/// Pure.
GpuClaim gpu_claim_from(const json::Value& resource_claim_template);

/// Error not_found where the namespace has none of that name, or the cluster no such objects; else those of
/// kube::Client.
GpuClaim find_gpu_claim(kube::Client& client, const std::string& ns, const std::string& name);

}  // namespace capsule::cluster
