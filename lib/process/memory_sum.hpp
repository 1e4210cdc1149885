#pragma once

#include <cstdint>

namespace capsule::process {

/// Whether the processes below this one hold more than `limit` bytes together: private and shared memory, swapped out
/// or not; what several share counts once, files that are only mapped do not count. The kernel's own memory for them
/// (pipes, sockets) is not seen. Async-signal-safe.
bool is_over_memory(std::uint64_t limit) noexcept;

/// Whether the kernel lets that be seen; false with errno.
bool can_see_memory() noexcept;

}  // namespace capsule::process
