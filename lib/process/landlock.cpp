#include "process/landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace capsule::process {

namespace {

// The headers may be older than the kernel that we run on.
constexpr std::uint64_t refer = 1U << 13U;                  // ABI 2
constexpr std::uint64_t truncate_it = 1U << 14U;            // ABI 3
constexpr std::uint64_t ioctl_device = 1U << 15U;           // ABI 5
constexpr std::uint64_t bind_tcp = 1U;                      // ABI 4
constexpr std::uint64_t connect_tcp = 2U;                   // ABI 4
constexpr std::uint64_t abstract_sockets_and_signals = 3U;  // ABI 6

constexpr std::uint64_t on_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_it | ioctl_device;
constexpr std::uint64_t reading =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t device =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_it | ioctl_device;

struct RulesetAttributes {  // landlock_ruleset_attr of ABI 6
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};

struct PortAttributes {  // landlock_net_port_attr of ABI 4
  std::uint64_t allowed;
  std::uint64_t port;
};
constexpr int rule_of_port = 2;

std::uint64_t file_rights(int version) noexcept {
  std::uint64_t out = (std::uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1U) - 1;
  if (version >= 2) out |= refer;
  if (version >= 3) out |= truncate_it;
  if (version >= 5) out |= ioctl_device;
  return out;
}

void allow(int ruleset, const char* path, std::uint64_t rights) noexcept {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  struct stat status {};
  if (::fstat(fd, &status) == 0) {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(status.st_mode) ? rights : rights & on_files;
    rule.parent_fd = fd;
    ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  ::close(fd);
}

}  // namespace

int landlock_version() noexcept {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

int landlock_ruleset(const LandlockRules& rules, bool with_private_memory_folder) noexcept {
  const int version = landlock_version();
  if (version == 0) return -1;
  const auto all = file_rights(version);
  RulesetAttributes attributes{all, 0, 0};
  std::size_t size = sizeof attributes.files;
  if (version >= 4) {
    attributes.network = rules.tcp ? 0 : bind_tcp | connect_tcp;
    size += sizeof attributes.network;
  }
  if (version >= 6) {
    attributes.scoped = abstract_sockets_and_signals;
    size += sizeof attributes.scoped;
  }
  const auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return -1;
  for (const auto& path : rules.readable) allow(ruleset, path.c_str(), reading & all);
  for (const auto& path : rules.devices) allow(ruleset, path.c_str(), device & all);
  for (const auto& path : rules.writable) allow(ruleset, path.c_str(), all);
  if (with_private_memory_folder) allow(ruleset, "/dev/shm", all);
  if (attributes.network != 0 && rules.port) {
    const PortAttributes rule{connect_tcp, *rules.port};
    ::syscall(SYS_landlock_add_rule, ruleset, rule_of_port, &rule, 0);
  }
  return ruleset;
}

bool landlock_restrict(int ruleset) noexcept {
  return ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

}  // namespace capsule::process
