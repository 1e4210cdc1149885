#include "fs/temporary.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>

#include "core/error.hpp"

namespace capsule::fs {

namespace {

std::mutex temporaries_mutex;
std::set<Path> temporaries;  // NOLINT(cert-err58-cpp)

Fd lock_folder(const Path& path) {
  Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

void sweep(const Path& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{parent, ignored}) {
    if (!entry.path().filename().string().starts_with(".tmp-") || entry.is_symlink(ignored)) continue;
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    if (const auto lock = lock_folder(entry.path())) std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace

std::string random_name() {
  std::array<std::byte, 8> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error{ErrorKind::unavailable, "the kernel gives no random bytes"};
  }
  return to_hex(bytes);
}

void remember_temporary(const Path& path) {
  const std::lock_guard lock{temporaries_mutex};
  temporaries.insert(path);
}

void forget_temporary(const Path& path) noexcept {
  const std::lock_guard lock{temporaries_mutex};
  temporaries.erase(path);
}

void remove_temporaries() noexcept {
  const std::lock_guard lock{temporaries_mutex};
  std::error_code ignored;
  for (const auto& path : temporaries) std::filesystem::remove_all(path, ignored);
}

TemporaryFolder::TemporaryFolder(const Path& parent) {
  sweep(parent);
  // Between mkdir and the lock another process may take a new folder for a dead one's: then it is gone, and we make
  // another. Where folders cannot be locked at all, ours is as safe as it can be.
  for (bool is_ours = false; !is_ours;) {
    m_path = parent / fmt::format(".tmp-{}", random_name());
    remember_temporary(m_path);
    if (::mkdir(m_path.c_str(), 0700) != 0) {
      const int error = errno;
      forget_temporary(m_path);
      throw_errno("create a folder in", parent, error);
    }
    m_lock = lock_folder(m_path);
    const int error = errno;
    struct stat status {};
    is_ours =
        m_lock ? ::fstat(m_lock.get(), &status) == 0 && status.st_nlink != 0 : error != EWOULDBLOCK && error != ENOENT;
    if (!is_ours) forget_temporary(m_path);
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(m_path, ignored);
  forget_temporary(m_path);
}

Path temporary_parent() {
  const char* folder = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
  return folder != nullptr && *folder != '\0' ? Path{folder} : Path{"/tmp"};
}

}  // namespace capsule::fs
