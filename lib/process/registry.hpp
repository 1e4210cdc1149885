#pragma once

#include <functional>

/// The commands that run now, for kill_all().
namespace capsule::process::registry {

/// Runs `launch`, which returns the descriptor of a lifeline, and enters that. Blocks for ever when the process is
/// about to end. The lock that it holds meanwhile also keeps the descriptors of one launch out of the child of another.
void enter(const std::function<int()>& launch);

/// Before the lifeline is closed. Blocks for ever when the process is about to end: what its thread would do next (say
/// that a child failed, exit) must not hide the signal.
void leave(int lifeline) noexcept;

}  // namespace capsule::process::registry
