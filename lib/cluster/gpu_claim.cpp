#include "cluster/gpu_claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cluster/node.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

/// Of a request, or of one of its alternatives (v1 DeviceRequest): 1 where it does not say, any number where it asks
/// for all that there are.
std::uint64_t devices_of(const json::Value& exact) {
  constexpr double most = 1e6;
  if (text_at(exact, "/allocationMode") == "All") return std::numeric_limits<std::uint32_t>::max();
  const auto* count = exact.at_pointer("/count");
  if (count == nullptr || count->if_number() == nullptr) return 1;
  return static_cast<std::uint64_t>(std::clamp(json::to_double(*count->if_number()), 0.0, most));
}

}  // namespace

GpuClaim gpu_claim_from(const json::Value& resource_claim_template) {
  GpuClaim out{text_at(resource_claim_template, "/metadata/name"), 0};
  for (const auto& request : array_at(resource_claim_template, "/spec/spec/devices/requests")) {
    if (const auto* exact = request.at_pointer("/exactly")) {
      out.devices += devices_of(*exact);
      continue;
    }
    const auto& alternatives = array_at(request, "/firstAvailable");
    const auto fewest =
        std::min_element(alternatives.begin(), alternatives.end(),
                         [](const auto& one, const auto& other) { return devices_of(one) < devices_of(other); });
    if (fewest != alternatives.end()) out.devices += devices_of(*fewest);
  }
  return out;
}

GpuClaim find_gpu_claim(kube::Client& client, const std::string& ns, const std::string& name) {
  const kube::Name wanted{kube::resources::resource_claim_templates, ns, name};
  std::optional<json::Value> found;
  try {
    found = client.find(wanted);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    throw error.within("--gpu-claim needs a cluster that serves resource.k8s.io/v1 (Kubernetes 1.34)");
  }
  if (!found)
    throw Error{ErrorKind::not_found,
                fmt::format("there is no {}: --gpu-claim names a ResourceClaimTemplate of the namespace that the "
                            "capsule is deployed to",
                            kube::text_of(wanted))};
  return gpu_claim_from(*found);
}

}  // namespace capsule::cluster
