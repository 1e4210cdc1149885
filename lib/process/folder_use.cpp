#include "process/folder_use.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace capsule::process {

namespace {

constexpr std::size_t deepest = 64;
constexpr std::uint64_t block = 512;  // of st_blocks, whatever the file system's are
/// A smaller file that is renamed in mid-look, and so seen twice, makes little difference.
constexpr std::uint64_t large = std::uint64_t{1} << 20U;

}  // namespace

FolderUse::FolderUse(std::string folder) : m_folder(std::move(folder)) {
  begin();
}

void FolderUse::begin() {
  m_open.clear();
  m_large.clear();
  m_bytes = 0;
  struct stat status {};
  if (::stat(m_folder.c_str(), &status) != 0) return;
  m_device = status.st_dev;
  enter(AT_FDCWD, m_folder.c_str());
}

bool FolderUse::look(std::size_t entries) {
  for (; entries > 0 && !m_open.empty(); --entries) look_at_one();
  return m_open.empty();
}

void FolderUse::look_at_one() {
  const auto* entry = ::readdir(m_open.back().get());  // NOLINT(concurrency-mt-unsafe): nobody else reads this one
  if (entry == nullptr) {
    m_open.pop_back();
    return;
  }
  const std::string_view name{entry->d_name};
  if (name == "." || name == "..") return;
  const int above = ::dirfd(m_open.back().get());
  struct stat status {};
  if (::fstatat(above, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_dev != m_device) return;
  count(status);
  if (S_ISDIR(status.st_mode) && m_open.size() < deepest) enter(above, entry->d_name);
}

void FolderUse::count(const struct stat& status) {
  const auto bytes = static_cast<std::uint64_t>(status.st_blocks) * block;
  const bool is_folder = S_ISDIR(status.st_mode);
  const bool is_large = !is_folder && bytes >= large;
  if (is_large && !m_large.insert(status.st_ino).second) return;
  // All of a small file's names are below here, and each is met.
  const auto names = is_folder || is_large ? 1 : std::max<std::uint64_t>(status.st_nlink, 1);
  m_bytes += bytes / names;
}

void FolderUse::enter(int above, const char* name) {
  const bool is_top = above == AT_FDCWD;
  const int fd = ::openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (is_top ? 0 : O_NOFOLLOW));
  if (fd < 0) return;
  struct stat status {};
  DIR* folder = ::fstat(fd, &status) == 0 && status.st_dev == m_device ? ::fdopendir(fd) : nullptr;
  if (folder == nullptr) {
    ::close(fd);
    return;
  }
  m_open.emplace_back(folder);
}

}  // namespace capsule::process
