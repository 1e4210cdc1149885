#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deploy/host_identity.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

/// What a machine has, as far as it shows: the facts that requirements are held against.
struct Host {
  std::string name;  ///< host name
  std::string id;    ///< stable and opaque: derived from the machine id
  std::string arch;  ///< as OCI and Go write it: amd64, arm64
  std::uint64_t memory_bytes = 0;
  std::vector<std::string> gpus;                  ///< device files of drivers, e.g. /dev/nvidia0
  std::optional<std::uint64_t> gpu_memory_bytes;  ///< of one GPU, where the driver says it
  unsigned processors = 0;                        ///< that are online
  HostIdentity identity{};                        ///< only where somebody has read it: read_host_identity()
};

/// Where drivers show their devices.
struct DriverFolders {
  fs::Path dev = "/dev";
  fs::Path sys = "/sys";
};

/// Device files of GPUs below `dev`, sorted: NVIDIA's one each (nvidia<n>), AMD's render nodes where kfd, the node of
/// its compute driver, is there.
std::vector<std::string> find_gpus(const DriverFolders& folders);
/// Memory of the smallest GPU, in bytes, where AMD's driver says it; NVIDIA's says it in no file.
std::optional<std::uint64_t> find_gpu_memory(const DriverFolders& folders);

/// Looks at this machine. `state_folder` keeps a random machine id where /etc/machine-id is missing.
Host inspect_host(const fs::Path& state_folder);

}  // namespace capsule::deploy
