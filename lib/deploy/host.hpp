#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
};

/// Looks at this machine. `state_folder` keeps a random machine id where /etc/machine-id is missing.
Host inspect_host(const fs::Path& state_folder);

}  // namespace capsule::deploy
