#pragma once

#include <sys/types.h>

#include <functional>

/// The commands that run now, for kill_all().
namespace capsule::process::registry {

struct Entry {
  int lifeline = -1;     ///< descriptor
  pid_t supervisor = 0;  ///< the child at its other end
};

/// Runs `launch`, and enters what it returns. Blocks for ever when the process is
/// about to end. The lock that it holds meanwhile also keeps the descriptors of one launch out of the child of another.
void enter(const std::function<Entry()>& launch);

/// Before the lifeline is closed. Blocks for ever when the process is about to end: what its thread would do next (say
/// that a child failed, exit) must not hide the signal.
void leave(int lifeline) noexcept;

}  // namespace capsule::process::registry
