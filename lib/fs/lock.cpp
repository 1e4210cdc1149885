#include "fs/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "core/error.hpp"

namespace capsule::fs {

FileLock::FileLock(const Path& path, std::chrono::milliseconds patience)
    : m_fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  const int error = errno;
  // A folder, or what may only be read: flock needs no more. Whoever then has nothing to write needs no right to.
  if (!m_fd && (error == EISDIR || error == EACCES || error == EROFS))
    m_fd = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!m_fd) throw_errno("open the lock", path, error);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(m_fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path, errno);
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Error{ErrorKind::busy, fmt::format("{} is locked by another process: try again when it is done",
                                               printable(path.string(), 1024))};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace capsule::fs
