#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace capsule::process {

/// What the control group of this process, and those above it, let it have: of a pod, less than the machine has.
struct CgroupMemory {
  std::uint64_t limit = 0;      ///< bytes
  std::uint64_t available = 0;  ///< of them; what files take in caches counts as available
};

/// By the groups' own files, version 1 or 2; nothing where no group has a limit, or they are not mounted. `root` is
/// before every path: for tests.
std::optional<CgroupMemory> cgroup_memory(const std::filesystem::path& root = "/");

/// Grows when the kernel ends a process of our control group for want of memory; 0 where that is not to be known.
std::uint64_t cgroup_kills(const std::filesystem::path& root = "/");

}  // namespace capsule::process
