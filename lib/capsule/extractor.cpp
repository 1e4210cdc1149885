#include "capsule/extractor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

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

fs::Path Extractor::keep(const VerifiedCapsule& capsule) {
  auto destination = m_folder / std::string{capsule.capsule_digest().hex()};
  const fs::Fd folder{::open(root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder || ::syncfs(folder.get()) != 0) fs::throw_errno("write", root(), errno);
  std::error_code error;
  std::filesystem::permissions(root(), std::filesystem::perms{0755}, error);
  std::filesystem::rename(root(), destination, error);
  // A folder that is there was renamed whole by another run: the same digest, the same files.
  if (error && !std::filesystem::is_directory(destination))
    fs::throw_errno("create the folder", destination, error.value());
  m_temporary.reset();
  return destination;
}

}  // namespace capsule
