#pragma once

#include <string>
#include <vector>

namespace capsule::process {

// All of this runs after a fork and is async-signal-safe.

/// Gives this process mounts of its own: all of them read-only but for `writable`, each of which must exist. Mounts
/// below those are read-only too. On failure false, with errno.
bool enter_mount_namespace(const std::vector<std::string>& writable) noexcept;

/// An empty /dev/shm; false where there is none to be had.
bool mount_memory_folder() noexcept;

/// A /proc that shows this PID namespace alone.
bool mount_proc() noexcept;

}  // namespace capsule::process
