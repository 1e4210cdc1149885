#include "fs/file_or_pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace capsule::fs {

namespace {

class PipeSource final : public Source {
 public:
  explicit PipeSource(const Path& path) : m_path(path), m_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!m_fd) throw_errno("open", path, errno);
  }
  std::size_t read(MutableBytes buffer) override {
    while (true) {
      const auto count = ::read(m_fd.get(), buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) throw_errno("read", m_path, errno);
    }
  }

 private:
  Path m_path;
  Fd m_fd;
};

}  // namespace

std::string read_file_or_pipe(const Path& path, std::size_t limit) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode)) return read_file(path, limit);
  PipeSource source{path};
  StringSink sink{limit};
  copy(source, sink);
  return sink.take();
}

}  // namespace capsule::fs
