#pragma once

#include "fs/fd.hpp"

namespace agent {

/// Copies the running program to `target`, mode 0755: an init container does so for a container whose image has no
/// agent. The file appears whole; one that holds the same is left as it is. A folder stands for capsule-agent in it.
/// Errors: not_found where its folder is missing, denied, unavailable where there is no room.
capsule::fs::Path install_self(capsule::fs::Path target);

}  // namespace agent
