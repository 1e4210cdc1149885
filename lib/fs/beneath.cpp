#include "fs/beneath.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"

namespace capsule::fs {

namespace {

/// One name, of which no link is followed: ELOOP, as openat2 has it, where O_DIRECTORY would make it ENOTDIR.
Fd open_name(int folder, const std::string& name, int flags, mode_t mode) {
  Fd out{::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode)};
  struct stat status {};
  if (!out && errno == ENOTDIR && ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    errno = S_ISLNK(status.st_mode) ? ELOOP : ENOTDIR;
  return out;
}

/// What openat2 does, one name after the other: a SafePath has no "..".
Fd open_by_names(int folder, std::string_view rest, int flags, mode_t mode) {
  Fd below;
  for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    below = open_name(folder, std::string{rest.substr(0, slash)}, O_PATH | O_DIRECTORY, 0);
    if (!below) return below;
    folder = below.get();
    rest.remove_prefix(slash + 1);
  }
  return open_name(folder, std::string{rest}, flags, mode);
}

/// `name` is a SafePath's text.
Fd open_at2(int folder, const std::string& name, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Fd file{static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how))};
  // Emulators and other kernels have no openat2, and an older container runtime refuses what it does not know.
  if (!file && (errno == ENOSYS || errno == EPERM)) return open_by_names(folder, name, flags, mode);
  return file;
}

}  // namespace

Fd create_beneath(const Path& root, const SafePath& relative, mode_t mode) {
  Fd folder{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder) throw_errno("open", root, errno);
  std::string_view rest = relative.text();
  for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const std::string name{rest.substr(0, slash)};
    if (::mkdirat(folder.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      throw_errno("create", root / relative.text(), errno);
    folder = open_at2(folder.get(), name, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) throw_errno("enter the folder of", root / relative.text(), errno);
    rest.remove_prefix(slash + 1);
  }
  Fd file = open_at2(folder.get(), std::string{rest}, O_RDWR | O_CREAT | O_EXCL, mode);
  if (!file && errno == EEXIST) {
    throw Error{ErrorKind::conflict,
                fmt::format("{} is already there", printable((root / relative.text()).string(), 1024))};
  }
  if (!file) throw_errno("create", root / relative.text(), errno);
  if (::fchmod(file.get(), mode) != 0) throw_errno("set the mode of", root / relative.text(), errno);
  return file;
}

Fd open_beneath(const Path& root, const SafePath& relative) {
  const Fd folder{::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!folder) throw_errno("open", root, errno);
  // Without O_NONBLOCK a FIFO would wait for a writer.
  Fd file = open_at2(folder.get(), relative.text(), O_RDONLY | O_NONBLOCK, 0);
  const auto path = root / relative.text();
  if (!file) throw_errno("open", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_errno("look at", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} is no regular file", printable(path.string(), 1024))};
  }
  return file;
}

std::string read_beneath(const Path& root, const SafePath& relative, std::size_t limit) {
  const auto path = root / relative.text();
  const auto file = open_beneath(root, relative);
  std::string text(limit + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("read", path, errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > limit) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} is larger than {}", printable(path.string(), 1024), human_size(limit))};
  }
  text.resize(size);
  return text;
}

}  // namespace capsule::fs
