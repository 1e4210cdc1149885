#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capsule/manifest.hpp"

namespace capsule::cluster {

/// What is asked of a node.
struct Requests {
  std::uint64_t cpu = 0;     ///< thousandths of a processor
  std::uint64_t memory = 0;  ///< bytes, a whole number of MiB
};

/// What an init container of ours asks for.
inline constexpr Requests init_requests{50, std::uint64_t{64} << 20U};

/// Whether the manifest asks for this resource (cpu, memory), and it is not among `waived`, as
/// CapabilityReport::waived has it: `memory:2Gi`.
bool asks_for(const Manifest& manifest, const std::string& resource, const std::vector<std::string>& waived);

/// Of the container that capsule code runs in: the manifest's memory and what capsule-agent needs beside it, an eighth
/// and 64 MiB; the manifest's cpu. What it does not ask for, or what is waived: 512 MiB, a tenth of a processor. Pure.
Requests runner_requests(const Manifest& manifest, const std::vector<std::string>& waived);

/// Of the pod, as the scheduler holds it against a node: init containers run before the runner, not beside it. A pod
/// asks for no ephemeral storage. Pure.
Requests pod_requests(const Manifest& manifest, const std::vector<std::string>& waived);

}  // namespace capsule::cluster
