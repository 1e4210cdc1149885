#pragma once

namespace capsule::process {

/// Kills every process below this one, in whatever session or group. One that forks meanwhile may leave a child behind:
/// to be repeated until there are none. Async-signal-safe.
void kill_descendants() noexcept;

}  // namespace capsule::process
