#include "process/seccomp.hpp"

#include <fcntl.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "fs/fd.hpp"

namespace capsule::process {

namespace {

struct Release {
  void operator()(void* context) const noexcept { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

/// Refused as if we lacked the privilege.
constexpr std::array refused{
    SCMP_SYS(add_key),
    SCMP_SYS(bpf),
    SCMP_SYS(chroot),
    SCMP_SYS(delete_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsopen),
    SCMP_SYS(init_module),
    SCMP_SYS(kcmp),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load),
    SCMP_SYS(keyctl),
    SCMP_SYS(mount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pivot_root),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace),
    SCMP_SYS(quotactl),
    SCMP_SYS(reboot),
    SCMP_SYS(request_key),
    SCMP_SYS(setns),
    SCMP_SYS(swapoff),
    SCMP_SYS(swapon),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(open_by_handle_at),
};

/// Refused as if the kernel did not have them: programs know how to go on without. clone3 hides its flags from a
/// filter, io_uring opens sockets past it. Of memory that no process has mapped nobody would see that it is taken.
constexpr std::array unknown{SCMP_SYS(clone3),         SCMP_SYS(io_uring_setup),
                             SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
                             SCMP_SYS(memfd_create),   SCMP_SYS(shmget)};

constexpr std::array namespace_flags{CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                     CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
/// Registers are 64 bits wide, the kernel looks at the lower half of these.
constexpr scmp_datum_t lower_half = 0xffff'ffffU;

/// A UNIX socket by its path leads to every service of the same user, through any network namespace: what a program
/// needs of them among its own processes, socketpair gives.
bool add_socket_rules(void* context, Sockets sockets) {
  const auto no = SCMP_ACT_ERRNO(EACCES);
  if (::seccomp_rule_add(context, no, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX)) != 0) return false;
  if (sockets == Sockets::pairs) return ::seccomp_rule_add(context, no, SCMP_SYS(socket), 0) == 0;
  // All families but INET, and all of INET but streams, by the lower bits that hold the type.
  constexpr scmp_datum_t type_bits = 0xf;
  bool good = ::seccomp_rule_add(context, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_INET)) == 0 &&
              ::seccomp_rule_add(context, no, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_INET),
                                 SCMP_A2(SCMP_CMP_GT, IPPROTO_TCP)) == 0;
  for (scmp_datum_t type = 0; type <= type_bits; ++type) {
    if (type == SOCK_STREAM) continue;
    good = good && ::seccomp_rule_add(context, no, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_INET),
                                      SCMP_A1(SCMP_CMP_MASKED_EQ, type_bits, type)) == 0;
  }
  return good;
}

bool add_rules(void* context, Sockets sockets) {
  const auto no = SCMP_ACT_ERRNO(EPERM);
  bool good = ::seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  for (const int call : refused) good = good && ::seccomp_rule_add(context, no, call, 0) == 0;
  for (const int call : unknown) good = good && ::seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), call, 0) == 0;
  for (const int flag : namespace_flags) {
    const auto bits = static_cast<scmp_datum_t>(flag);
    good = good && ::seccomp_rule_add(context, no, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, bits, bits)) == 0;
  }
  // Text that a terminal would take for its user's.
  for (const scmp_datum_t request : {scmp_datum_t{TIOCSTI}, scmp_datum_t{TIOCLINUX}}) {
    good = good &&
           ::seccomp_rule_add(context, no, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, lower_half, request)) == 0;
  }
  return good && (sockets == Sockets::any || add_socket_rules(context, sockets));
}

std::vector<sock_filter> build(Sockets sockets) {
  const Context context{::seccomp_init(SCMP_ACT_ALLOW)};
  if (!context || !add_rules(context.get(), sockets)) return {};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return {};
  const fs::Fd read_end{ends[0]};
  const fs::Fd write_end{ends[1]};
  if (::seccomp_export_bpf(context.get(), write_end.get()) != 0) return {};  // one write, far below a pipe's 64 KiB
  std::vector<sock_filter> out(BPF_MAXINSNS);
  const auto size = ::read(read_end.get(), out.data(), out.size() * sizeof(sock_filter));
  if (size <= 0) return {};
  out.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
  return out;
}

}  // namespace

const std::vector<sock_filter>& seccomp_program(Sockets sockets) {
  static const auto pairs = build(Sockets::pairs);
  static const auto tcp = build(Sockets::tcp);
  static const auto any = build(Sockets::any);
  switch (sockets) {
    case Sockets::pairs:
      return pairs;
    case Sockets::tcp:
      return tcp;
    case Sockets::any:
      break;
  }
  return any;
}

bool load_seccomp(const std::vector<sock_filter>& program) noexcept {
  if (program.empty()) {
    errno = ENOTSUP;
    return false;
  }
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = const_cast<sock_filter*>(program.data());  // the kernel only reads it
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace capsule::process
