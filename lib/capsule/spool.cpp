#include "capsule/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "capsule/segment_plan.hpp"
#include "core/error.hpp"
#include "fs/temporary.hpp"

namespace capsule {

namespace {

/// A file without a name: nothing is left of it, however the process ends.
fs::Fd nameless_file(const fs::Path& folder) {
  fs::Fd fd{::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)};
  if (!fd && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    const auto name = folder / (".spool-" + fs::random_name() + ".tmp");
    fd = fs::Fd{::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (fd) ::unlink(name.c_str());
  }
  if (!fd) fs::throw_errno("create a file in", folder, errno);
  return fd;
}

}  // namespace

Spool::Spool(const fs::Path& folder) : m_folder(folder), m_fd(nameless_file(folder)) {}

void Spool::begin_file(const fs::SafePath& path, std::uint64_t size, bool) {
  m_keeping = PlannedEntry::kind_of(path.text()) != PlannedEntry::Kind::head;
  if (m_keeping) m_files.push_back({{path, size}, m_end});
}

void Spool::file_bytes(ByteView bytes) {
  if (!m_keeping) return;
  fs::write_all(m_fd.get(), bytes, m_folder);
  m_end += bytes.size();
}

std::vector<PackageContent::File> Spool::sort() {
  std::sort(m_files.begin(), m_files.end(), [](const Kept& a, const Kept& b) { return a.file.path < b.file.path; });
  std::vector<PackageContent::File> files;
  for (const auto& kept : m_files) files.push_back(kept.file);
  return files;
}

void Spool::read_at(std::uint64_t offset, MutableBytes place) const {
  while (!place.empty()) {
    const auto count = ::pread(m_fd.get(), place.data(), place.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fs::throw_errno("read from", m_folder, errno);
    if (count == 0) throw Error{ErrorKind::unavailable, "a temporary file has fewer bytes than were written to it"};
    offset += static_cast<std::uint64_t>(count);
    place = place.subspan(static_cast<std::size_t>(count));
  }
}

Bytes Spool::open(std::size_t file) {
  m_current = file;
  m_position = 0;
  Bytes first(static_cast<std::size_t>(std::min<std::uint64_t>(4, m_files[file].file.size)));
  read_at(m_files[file].offset, first);
  return first;
}

void Spool::read(std::vector<MutableBytes>& pieces) {
  for (const auto piece : pieces) {
    read_at(m_files[m_current].offset + m_position, piece);
    m_position += piece.size();
  }
}

}  // namespace capsule
