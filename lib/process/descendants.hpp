#pragma once

namespace capsule::process {

/// Kills every process below this one, in whatever group; with a session's number, only those of that session. One that
/// forks meanwhile may leave a child behind: to be repeated until there are none. Whether there were any that live.
/// Async-signal-safe.
bool kill_descendants(int session = 0) noexcept;

}  // namespace capsule::process
