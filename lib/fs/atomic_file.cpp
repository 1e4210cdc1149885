#include "fs/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "core/error.hpp"
#include "fs/temporary.hpp"

namespace capsule::fs {

namespace {

Path folder_of(const Path& target) {
  return target.has_parent_path() ? target.parent_path() : Path{"."};
}

/// A name beside the target that nobody else uses.
Path temporary_name(const Path& target) {
  return folder_of(target) / fmt::format(".{}.{}.tmp", target.filename().string().substr(0, 200), random_name());
}

/// Removes a file that a killed writer left under this name. Writers hold a lock on theirs.
void remove_dead(const Path& name) {
  const Fd fd{::open(name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return;
  struct stat ours {};
  struct stat there {};
  if (::fstat(fd.get(), &ours) != 0 || ::lstat(name.c_str(), &there) != 0) return;
  if (ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) ::unlink(name.c_str());
}

void sync_folder(const Path& folder) {
  const Fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd) ::fsync(fd.get());  // best effort: some file systems have no fsync of folders
}

}  // namespace

AtomicFile::AtomicFile(Path target, mode_t mode) : m_target(std::move(target)) {
  const auto folder = folder_of(m_target);
  m_fd = Fd{::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, mode)};
  if (!m_fd && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    m_temporary = temporary_name(m_target);
    m_fd = Fd{::open(m_temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
    if (m_fd) remember_temporary(m_temporary);
  }
  if (!m_fd) throw_errno("create a file in", folder, errno);
  if (::fchmod(m_fd.get(), mode) != 0) throw_errno("set the mode of", m_target, errno);
}

AtomicFile::~AtomicFile() {
  if (!m_committed && !m_temporary.empty()) {
    ::unlink(m_temporary.c_str());
    forget_temporary(m_temporary);
  }
}

void AtomicFile::write(ByteView bytes) {
  write_all(m_fd.get(), bytes, m_target);
}

void AtomicFile::write_at(std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(m_fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", m_target, errno);
    }
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

/// Gives our nameless file a name for the moment until it is renamed. It is the same one for every writer of this
/// target, so that the next one removes what a kill at that moment left.
Path AtomicFile::name_beside(const std::string& self) const {
  ::flock(m_fd.get(), LOCK_EX | LOCK_NB);
  auto name = folder_of(m_target) / fmt::format(".{}.tmp", m_target.filename().string().substr(0, 200));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds{500};
  while (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno != EEXIST) throw_errno("create", m_target, errno);
    remove_dead(name);
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    if (std::chrono::steady_clock::now() > give_up) name = temporary_name(m_target);  // it is somebody else's
  }
  return name;
}

void AtomicFile::commit(Overwrite overwrite) {
  if (::fsync(m_fd.get()) != 0) throw_errno("write", m_target, errno);
  const auto self = fmt::format("/proc/self/fd/{}", m_fd.get());
  if (overwrite == Overwrite::no) {
    const int linked = m_temporary.empty()
                           ? ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, m_target.c_str(), AT_SYMLINK_FOLLOW)
                           : ::link(m_temporary.c_str(), m_target.c_str());
    if (linked != 0 && errno == EEXIST) {
      throw Error{ErrorKind::conflict, fmt::format("{} is already there", printable(m_target.string(), 1024))};
    }
    if (linked != 0) throw_errno("create", m_target, errno);
    sync_folder(folder_of(m_target));
    return;  // the destructor removes the temporary name, if there is one
  }
  if (m_temporary.empty()) m_temporary = name_beside(self);
  if (::rename(m_temporary.c_str(), m_target.c_str()) != 0) throw_errno("create", m_target, errno);
  forget_temporary(m_temporary);
  m_committed = true;
  sync_folder(folder_of(m_target));
}

void sweep_temporaries(const Path& target) {
  const auto temporary = fmt::format(".{}.", target.filename().string());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder_of(target), ignored}) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(temporary) && name.ends_with(".tmp")) std::filesystem::remove(entry.path(), ignored);
  }
}

void write_file(const Path& target, std::string_view content, mode_t mode) {
  AtomicFile file{target, mode};
  file.write(as_bytes(content));
  file.commit();
}

}  // namespace capsule::fs
