#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "capsule/manifest.hpp"
#include "cluster/gpu_claim.hpp"
#include "cluster/node.hpp"
#include "deploy/capability.hpp"
#include "deploy/this_host.hpp"

namespace capsule::cluster {

/// A kind of GPU as device plug-ins offer it: an extended resource, and the node label (of the plug-in's companion)
/// that says how much memory one has. A resource that ends with `*` stands for all that begin so; a label that begins
/// with a dot is put behind the resource.
struct GpuKind {
  std::string resource;
  std::string memory_label;       ///< empty: none is known
  std::uint64_t memory_unit = 1;  ///< bytes
};
/// nvidia.com/gpu (nvidia.com/gpu.memory, MiB) and its MIG slices (nvidia.com/mig-1g.5gb.memory), amd.com/gpu,
/// gpu.intel.com/i915 and xe.
const std::vector<GpuKind>& known_gpus();

/// What a capsule's pod is held against.
struct PodDemand {
  const Manifest& manifest;
  std::vector<std::string> allowed;                    ///< requirements to go without, as the manifest writes them
  std::vector<json::Value> tolerations{};              ///< of spec.template
  std::map<std::string, std::string> node_selector{};  ///< of spec.template
  const Requested* requested = nullptr;                ///< what runs there takes; null: not known
  const GpuClaim* gpu_claim = nullptr;                 ///< by which it gets GPUs; null: by an extended resource
};

/// One node against every requirement: the reason for each no; empty is a yes.
struct NodeVerdict {
  std::string node;
  deploy::HostIdentity identity;
  std::string gpu_resource;          ///< the kind of GPU that it would give; empty: none
  std::vector<std::string> reasons;  ///< in the order of ClusterCheck::requirements
};

struct ClusterCheck {
  std::vector<std::string> requirements;  ///< as written; the last is "schedulable": that a pod may go there at all
  std::vector<NodeVerdict> nodes;
  deploy::CapabilityReport report;
  std::vector<std::string> accepted;  ///< nodes that meet all that is not waived; empty where something is unmet
  std::string gpu_resource;           ///< what the pod asks for; empty: no GPU, or it is waived
  std::string gpu_claim;              ///< the ResourceClaimTemplate that it names instead; empty: none
  std::string said_of_claim;          ///< what of a ResourceClaimTemplate was checked; empty: there is none
  bool capacity_checked = false;      ///< whether `free` was known, not only `allocatable`

  /// nodes × requirements for people: a line for each of them, yes or no, and why no.
  [[nodiscard]] std::vector<std::string> table() const;
  [[nodiscard]] const NodeVerdict* find(std::string_view node) const;
};

/// Holds the manifest's requirements and resources against the nodes. A node counts where it meets all that is not in
/// `allowed`; nodes that also meet what is allowed come before those that do not. Error usage for an `allowed` that the
/// manifest does not have. Pure, but for the clock that certificates are held against.
ClusterCheck check_nodes(const PodDemand& demand, const std::vector<Node>& nodes, const deploy::Certifiers& certifiers);

}  // namespace capsule::cluster
