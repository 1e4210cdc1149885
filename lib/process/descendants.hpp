#pragma once

#include <cstdint>

namespace capsule::process {

/// Kills every process below this one, in whatever group; with a session's number, only those of that session. One that
/// forks meanwhile may leave a child behind: to be repeated until there are none. Whether there were any that live.
/// Async-signal-safe.
bool kill_descendants(int session = 0) noexcept;

/// The sum of `measure` over every process below this one; it is given a descriptor of the process's folder in /proc.
/// -1, with errno, where /proc cannot be read. Async-signal-safe.
std::int64_t sum_over_descendants(std::int64_t (*measure)(int folder) noexcept) noexcept;

}  // namespace capsule::process
