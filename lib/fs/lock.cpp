#include "fs/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "core/error.hpp"

namespace capsule::fs {

namespace {

/// Calls `lock`, which gives 0 or -1 and an errno, until it has it.
template <typename Lock>
void wait_for(const Path& path, std::chrono::milliseconds patience, const Lock& lock) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (lock() != 0) {
    if (errno != EWOULDBLOCK && errno != EACCES && errno != EINTR) throw_errno("lock", path, errno);
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Error{ErrorKind::busy, fmt::format("{} is locked by another process: try again when it is done",
                                               printable(path.string(), 1024))};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace

FileLock::FileLock(const Path& path, std::chrono::milliseconds patience)
    : m_fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  const int error = errno;
  // A folder, or what may only be read: flock needs no more. Whoever then has nothing to write needs no right to.
  if (!m_fd && (error == EISDIR || error == EACCES || error == EROFS))
    m_fd = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!m_fd) throw_errno("open the lock", path, error);
  wait_for(path, patience, [this] { return ::flock(m_fd.get(), LOCK_EX | LOCK_NB); });
}

NumberedLock::NumberedLock(const Path& path, std::uint64_t number, std::chrono::milliseconds patience)
    : m_fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (!m_fd) throw_errno("open the lock", path, errno);
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(number >> 2U);  // offsets are positive, and so is the end of the last byte
  range.l_len = 1;
  wait_for(path, patience, [&] { return ::fcntl(m_fd.get(), F_OFD_SETLK, &range); });
}

}  // namespace capsule::fs
