#pragma once

#include <cstddef>
#include <cstdint>

namespace capsule::process {

/// Kills every process below this one, in whatever group; with a session's number, only those of that session. One that
/// forks meanwhile may leave a child behind: to be repeated until there are none. Whether there were any that live.
/// Async-signal-safe.
bool kill_descendants(int session = 0) noexcept;

/// The processes below this one.
struct Descendants {
  std::size_t count = 0;
  std::int64_t sum = 0;  ///< of `measure`; -1, with errno, where /proc cannot be read
};

/// `measure` is given a descriptor of a process's folder in /proc. Where there are more than `most` of them, none is
/// measured. Async-signal-safe.
Descendants sum_over_descendants(std::int64_t (*measure)(int folder) noexcept, std::size_t most) noexcept;

}  // namespace capsule::process
