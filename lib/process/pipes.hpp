#pragma once

#include <string>
#include <string_view>

#include "fs/fd.hpp"
#include "process/process.hpp"

namespace capsule::process {

/// What joins a child to us, close-on-exec on both sides; none of the descriptors is 0 to 2, so that no dup2 in the
/// child overwrites another one.
struct Pair {
  fs::Fd ours;
  fs::Fd childs;
};

/// Both ends can be read and written; `type` is that of socket(2).
Pair make_socket(const Command& command, int type);
/// The child's stdin: a pipe where the command has input, now or later, else one that is at its end.
Pair make_input(const Command& command);
/// The child's stdout or stderr; ours does not block.
Pair make_output(const Command& command);

/// Error unavailable where the system is short of what it takes now, else that of fs::throw_errno.
[[noreturn]] void fail_to_start(std::string_view doing, const std::string& program, int error);

}  // namespace capsule::process
