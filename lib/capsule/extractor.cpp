#include "capsule/extractor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "fs/beneath.hpp"

namespace capsule {

Extractor::Extractor(fs::Path folder) : m_folder(std::move(folder)) {
  m_temporary.emplace(m_folder);
  std::filesystem::create_directory(root());
}

void Extractor::begin_file(const fs::SafePath& path, std::uint64_t, bool executable) {
  m_name = root() / path.text();
  m_file = fs::create_beneath(root(), path, executable ? 0755 : 0644);
}

void Extractor::file_bytes(ByteView bytes) {
  fs::write_all(m_file.get(), bytes, m_name);
}

void Extractor::end_file() {
  m_file.reset();
}

fs::Path Extractor::place_of(const VerifiedCapsule& capsule) const {
  std::error_code ignored;
  std::filesystem::permissions(root(), std::filesystem::perms{0755}, ignored);
  return m_folder / std::string{capsule.capsule_digest().hex()};
}

fs::Path Extractor::keep(const VerifiedCapsule& capsule) {
  auto destination = place_of(capsule);
  const fs::Fd folder{::open(root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder || ::syncfs(folder.get()) != 0) fs::throw_errno("write", root(), errno);
  std::error_code error;
  std::filesystem::rename(root(), destination, error);
  // A folder that is there was renamed whole by another run: the same digest, the same files.
  if (error && !std::filesystem::is_directory(destination))
    fs::throw_errno("create the folder", destination, error.value());
  m_temporary.reset();
  return destination;
}

fs::Path Extractor::replace(const VerifiedCapsule& capsule) {
  auto destination = place_of(capsule);
  int failure = ::rename(root().c_str(), destination.c_str()) == 0 ? 0 : errno;
  // What is there goes with the temporary folder.
  if (failure == ENOTEMPTY || failure == EEXIST) {
    failure = ::renameat2(AT_FDCWD, root().c_str(), AT_FDCWD, destination.c_str(), RENAME_EXCHANGE) == 0 ? 0 : errno;
  }
  if (failure != 0) fs::throw_errno("create the folder", destination, failure);
  m_temporary.reset();
  return destination;
}

}  // namespace capsule
