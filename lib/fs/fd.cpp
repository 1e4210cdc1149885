#include "fs/fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"

namespace capsule::fs {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    m_fd = std::exchange(other.m_fd, -1);
  }
  return *this;
}

void Fd::reset() noexcept {
  if (m_fd >= 0) ::close(m_fd);
  m_fd = -1;
}

namespace {

ErrorKind kind_of(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::denied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::invalid_input;
  }
}

}  // namespace

void throw_errno(std::string_view doing, const Path& path, int error) {
  throw Error{kind_of(error), fmt::format("cannot {} {}: {}", doing, printable(path.string(), 1024),
                                          std::generic_category().message(error))};
}

void write_all(int fd, ByteView bytes, const Path& path) {
  while (!bytes.empty()) {
    const auto count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", path, errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

Fd open_regular(const Path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; on a regular file it has no effect.
  Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) throw_errno("open", path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("look at", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} is {}, a file is wanted", printable(path.string(), 1024),
                                                      S_ISDIR(status.st_mode) ? "a folder" : "no regular file")};
  }
  return fd;
}

FileSource::FileSource(const Path& path) : m_path(path), m_fd(open_regular(path)) {
  struct stat status {};
  if (::fstat(m_fd.get(), &status) != 0) throw_errno("look at", path, errno);
  m_size = static_cast<std::uint64_t>(status.st_size);
}

std::size_t FileSource::read(MutableBytes buffer) {
  while (true) {
    const auto count = ::read(m_fd.get(), buffer.data(), buffer.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_errno("read", m_path, errno);
  }
}

std::string read_file(const Path& path, std::size_t limit) {
  FileSource source{path};
  if (source.size() > limit) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} is larger than the limit of {}", printable(path.string(), 1024), human_size(limit))};
  }
  StringSink sink{limit};
  copy(source, sink);
  return sink.take();
}

}  // namespace capsule::fs
