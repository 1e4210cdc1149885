#include "capsule/folder_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"
#include "fs/beneath.hpp"

namespace capsule {

void FolderFiles::refuse_change() const {
  throw Error{ErrorKind::invalid_input,
              fmt::format("{} changed while it was packed: try again", printable(m_path.string(), 1024))};
}

Bytes FolderFiles::open(std::size_t file) {
  const auto& wanted = m_files[file];
  m_path = m_folder / wanted.path.text();
  m_fd = fs::open_beneath(m_folder, wanted.path);
  struct stat status {};
  if (::fstat(m_fd.get(), &status) != 0) fs::throw_errno("look at", m_path, errno);
  if (static_cast<std::uint64_t>(status.st_size) != wanted.size) refuse_change();
  Bytes first(4);
  const auto count = ::pread(m_fd.get(), first.data(), first.size(), 0);
  if (count < 0) fs::throw_errno("read", m_path, errno);
  first.resize(static_cast<std::size_t>(count));
  return first;
}

void FolderFiles::read(std::vector<MutableBytes>& pieces) {
  std::vector<iovec> places;
  places.reserve(pieces.size());
  for (const auto piece : pieces) places.push_back({piece.data(), piece.size()});
  for (auto place = places.begin(); place != places.end();) {
    const auto count = ::readv(m_fd.get(), &*place, static_cast<int>(places.end() - place));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fs::throw_errno("read", m_path, errno);
    if (count == 0) refuse_change();
    auto rest = static_cast<std::size_t>(count);
    while (place != places.end() && rest >= place->iov_len) rest -= (place++)->iov_len;
    if (rest > 0) {
      place->iov_base = static_cast<std::byte*>(place->iov_base) + rest;
      place->iov_len -= rest;
    }
  }
}

void FolderFiles::close() {
  std::byte more{};
  const auto count = ::read(m_fd.get(), &more, 1);
  if (count < 0) fs::throw_errno("read", m_path, errno);
  if (count > 0) refuse_change();
  m_fd.reset();
}

}  // namespace capsule
