#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace capsule::process {

/// What the processes of a program may have together.
struct Most {
  /// Bytes: private and shared memory, swapped out or not; what several share counts once, files that are only mapped
  /// do not count. The kernel's own memory for them (pipes, sockets) is not seen.
  std::uint64_t memory = std::numeric_limits<std::int64_t>::max();
  std::size_t processes = std::numeric_limits<std::size_t>::max();  ///< at a time; their threads do not count

  [[nodiscard]] bool is_limited() const noexcept { return memory != Most{}.memory || processes != Most{}.processes; }
};

enum class Excess { none, memory, processes };

/// What the processes below this one have too much of. Async-signal-safe.
Excess excess(const Most& most) noexcept;

/// Whether the kernel lets that be seen; false with errno.
bool can_see_descendants() noexcept;

}  // namespace capsule::process
