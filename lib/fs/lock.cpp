#include "fs/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "core/error.hpp"
#include "fs/temporary.hpp"

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

namespace {

/// Whether the open file is still the one of that name.
bool is_at(const Path& path, const Fd& fd) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd.get(), &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

}  // namespace

TemporaryLock::TemporaryLock(Path path, std::chrono::milliseconds patience) : m_path(std::move(path)) {
  do {
    m_lock.reset();
    m_lock.emplace(m_path, patience);
  } while (!is_at(m_path, m_lock->m_fd));
  remember_temporary(m_path);
}

TemporaryLock::~TemporaryLock() {
  forget_temporary(m_path);
  ::unlink(m_path.c_str());  // before the lock goes: nobody else holds a file of that name
}

}  // namespace capsule::fs
