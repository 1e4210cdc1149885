#pragma once

#include <linux/filter.h>

#include <vector>

namespace capsule::process {

/// Which sockets a program may open.
enum class Sockets {
  pairs,  ///< those of socketpair(2) alone
  tcp,    ///< streams of IPv4 too
  any,
};

/// A filter of system calls as the kernel wants it: refuses the other sockets, and what has no place in a capsule
/// and was a way out of confinements before: ptrace, bpf, io_uring, mounts, namespaces, keys, … Empty when
/// libseccomp does not know this machine.
const std::vector<sock_filter>& seccomp_program(Sockets sockets);

/// Loads it into this process, which must have no_new_privs or CAP_SYS_ADMIN. Async-signal-safe.
bool load_seccomp(const std::vector<sock_filter>& program) noexcept;

}  // namespace capsule::process
