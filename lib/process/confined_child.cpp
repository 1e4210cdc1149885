#include "process/confined_child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include "process/mounts.hpp"
#include "process/seccomp.hpp"
#include "process/way_out.hpp"

namespace capsule::process {

namespace {

using Kind = Report::Kind;

/// What programs need of a system, and nothing of its users. What is not there is left out.
constexpr std::array system_paths{"/usr", "/bin", "/sbin", "/lib", "/lib32",     "/lib64",    "/libx32",
                                  "/etc", "/opt", "/proc", "/sys", "/nix/store", "/gnu/store"};
/// Where /etc/resolv.conf and its like point to.
constexpr std::array network_paths{"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/nscd"};
constexpr std::array device_paths{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

bool is_on_read_only_mount(const std::string& path) {
  struct statvfs status {};
  return ::statvfs(path.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

void lower(int report, int resource, std::uint64_t value, bool& held) noexcept {
  // glibc's getrlimit wants an enum in C++, other C libraries an int.
  struct {
    std::uint64_t current;
    std::uint64_t most;
  } limit{};
  if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) != 0) return;
  limit.most = std::min(limit.most, value);
  limit.current = std::min(limit.current, limit.most);
  if (::syscall(SYS_prlimit64, 0, resource, &limit, nullptr) == 0) return;
  if (held) send(report, Kind::missing, "limits", errno);
  held = false;
}

void set_limits(int report, const Limits& limits) noexcept {
  bool held = true;
  lower(report, RLIMIT_CORE, 0, held);
  if (limits.cpu_seconds) lower(report, RLIMIT_CPU, *limits.cpu_seconds, held);
  if (limits.address_space) lower(report, RLIMIT_AS, *limits.address_space, held);
  if (limits.memory) lower(report, RLIMIT_DATA, *limits.memory, held);
  if (limits.processes) lower(report, RLIMIT_NPROC, *limits.processes, held);
  if (limits.file_size) lower(report, RLIMIT_FSIZE, *limits.file_size, held);
  if (limits.open_files) lower(report, RLIMIT_NOFILE, *limits.open_files, held);
  if (limits.niceness != 0) ::setpriority(PRIO_PROCESS, 0, limits.niceness);
  if (held) send(report, Kind::held, "limits");
}

bool write_file(const char* path, std::string_view text) noexcept {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

/// Whether `id` is anybody here: in a user namespace it may not be.
bool is_mapped(unsigned id, const char* map) {
  std::ifstream file{map};
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (file >> first >> outside >> count) {
    if (id >= first && id - first < count) return true;
  }
  return false;
}

void say(int report, bool held, const char* part) noexcept {
  send(report, held ? Kind::held : Kind::missing, part, held ? 0 : errno);
}

}  // namespace

ConfinedChild::ConfinedChild(const Confinement& confinement, const std::string& program) : m_confinement(confinement) {
  std::copy_if(confinement.writable.begin(), confinement.writable.end(), std::back_inserter(m_mounted_writable),
               [](const std::string& path) { return !is_on_read_only_mount(path); });
  m_rules.readable.assign(system_paths.begin(), system_paths.end());
  m_rules.readable.push_back(program);
  m_rules.readable.insert(m_rules.readable.end(), confinement.readable.begin(), confinement.readable.end());
  m_rules.writable = confinement.writable;
  m_user_exists = confinement.user && is_mapped(*confinement.user, "/proc/self/uid_map") &&
                  is_mapped(*confinement.user, "/proc/self/gid_map");
  m_rules.devices.assign(device_paths.begin(), device_paths.end());
  if (confinement.network == Network::host) {
    m_rules.tcp = true;
    m_rules.readable.insert(m_rules.readable.end(), network_paths.begin(), network_paths.end());
  }
  m_rules.port = confinement.way_out;
  const auto sockets = confinement.network == Network::host ? Sockets::any
                       : confinement.way_out                ? Sockets::tcp
                                                            : Sockets::pairs;
  if (confinement.seccomp) m_filter = &seccomp_program(sockets);
  m_user_map = fmt::format("{0} {0} 1", ::geteuid());
  m_group_map = fmt::format("{0} {0} 1", ::getegid());
}

void ConfinedChild::begin(int report) const noexcept {
  if (!m_confinement.user_namespace) return;
  say(report,
      ::unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
          write_file("/proc/self/uid_map", m_user_map) && write_file("/proc/self/gid_map", m_group_map),
      "user-namespace");
}

void ConfinedChild::enter_network(int report) const noexcept {
  if (m_confinement.network == Network::host) return;
  const bool own_network = m_confinement.network_namespace && ::unshare(CLONE_NEWNET) == 0;
  m_own_network = own_network;
  if (m_confinement.network_namespace) say(report, own_network, "network-namespace");
  if (!m_confinement.way_out) return;
  if (own_network) {
    const int listener = open_way_out(*m_confinement.way_out);
    if (listener >= 0) send_descriptor(report, Kind::way_out, listener);
    say(report, listener >= 0, "way-out");
    if (listener >= 0) ::close(listener);
    return;
  }
  // Without a namespace our loopback is there; Landlock may close the rest.
  errno = ENOSYS;
  say(report, m_confinement.landlock && landlock_version() >= landlock_with_ports, "way-out");
}

void ConfinedChild::prepare(int report) const noexcept {
  enter_network(report);
  if (m_confinement.pid_namespace) say(report, ::unshare(CLONE_NEWIPC) == 0, "ipc-namespace");
  if (!m_confinement.mount_namespace) return;
  const bool own_mounts = enter_mount_namespace(m_mounted_writable);
  say(report, own_mounts, "mount-namespace");
  if (!own_mounts) return;
  m_has_memory_folder = mount_memory_folder();
  if (::getpid() == 1) mount_proc();
}

bool ConfinedChild::become_user(int report) const noexcept {
  if (!m_confinement.user) return true;
  if (!m_user_exists) {
    send(report, Kind::missing, "user", EINVAL);
    return true;
  }
  const uid_t id = *m_confinement.user;
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) ::prctl(PR_CAPBSET_DROP, capability);
  // The system calls: what glibc makes of them is for processes with threads, and not async-signal-safe.
  if (::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, id, id, id) == 0 &&
      ::syscall(SYS_setresuid, id, id, id) == 0) {
    send(report, Kind::held, "user");
    return true;
  }
  send(report, Kind::failed, "become the user of", errno);
  return false;
}

/// Whether TCP ports are restricted too.
bool ConfinedChild::restrict_files(int report, int ruleset) const noexcept {
  const bool held = ruleset >= 0 && landlock_restrict(ruleset);
  say(report, held, "landlock");
  if (ruleset >= 0) ::close(ruleset);
  constexpr int with_scopes = 6;
  const int version = landlock_version();
  if (held && version < with_scopes) send(report, Kind::missing, "landlock-scope", ENOSYS);
  return held && version >= landlock_with_ports;
}

/// Other parts may be missing, and the record says so; of namespace and filter, one is there, or nothing runs.
bool ConfinedChild::keep_network(int report, bool has_port_rules, bool is_filtered, int filter_error) const noexcept {
  if (m_confinement.network == Network::host || m_own_network) return true;
  if (m_confinement.only_way_out && !(is_filtered && has_port_rules)) {
    send(report, Kind::failed, only_way_out_failure, ENOSYS);
    return false;
  }
  if (!m_confinement.network_namespace || is_filtered) return true;
  errno = filter_error;
  send(report, Kind::failed, "keep the network from", errno);
  return false;
}

bool ConfinedChild::confine(int report) const noexcept {
  set_limits(report, m_confinement.limits);
  write_file("/proc/self/oom_score_adj", "1000");  // when memory runs out, ours is the process to end
  // With the rights that we still have: what we are to read may lie in folders that the user cannot enter.
  int ruleset = -1;
  if (m_confinement.landlock) ruleset = landlock_ruleset(m_rules, m_has_memory_folder);
  const int ruleset_error = errno;
  if (!become_user(report)) return false;
  say(report, ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no-new-privileges");
  errno = ruleset_error;
  const bool has_port_rules = m_confinement.landlock && restrict_files(report, ruleset);
  const bool filtered = m_filter != nullptr && load_seccomp(*m_filter);
  const int filter_error = errno;
  if (m_filter != nullptr) say(report, filtered, "seccomp");
  return keep_network(report, has_port_rules, filtered, filter_error);
}

}  // namespace capsule::process
