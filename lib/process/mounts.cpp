#include "process/mounts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace capsule::process {

namespace {

struct MountAttributes {  // mount_attr of mount_setattr(2), Linux 5.12
  std::uint64_t set;
  std::uint64_t clear;
  std::uint64_t propagation;
  std::uint64_t user_namespace;
};
constexpr std::uint64_t read_only = 1U;
constexpr std::uint64_t no_setuid = 2U;
constexpr std::uint64_t no_devices = 4U;

bool set_attributes(const char* path, unsigned flags, std::uint64_t set, std::uint64_t clear) noexcept {
  MountAttributes attributes{set, clear, 0, 0};
  return ::syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof attributes) == 0;
}

}  // namespace

bool enter_mount_namespace(const std::vector<std::string>& writable) noexcept {
  if (::unshare(CLONE_NEWNS) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  for (const auto& path : writable) {
    // A mount of its own, that can be writable while the one around it is not.
    if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  }
  // The mounts are our copies: no open file of another process is in the way, and no other process notices.
  if (!set_attributes("/", AT_RECURSIVE, read_only | no_setuid, 0)) return false;
  for (const auto& path : writable) {
    if (!set_attributes(path.c_str(), 0, no_devices, read_only)) return false;
  }
  return true;
}

bool mount_memory_folder() noexcept {
  return ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=256m") == 0;
}

bool mount_proc() noexcept {
  return ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

}  // namespace capsule::process
