#include "image/working_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"

namespace capsule::image {

namespace {

constexpr std::string_view package_name = "package.tar.gz";

void sync_folder(const fs::Path& folder) {
  const fs::Fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd) ::fsync(fd.get());  // best effort: some file systems have no fsync of folders
}

}  // namespace

fs::Path WorkingStore::package(const Digest& digest) const {
  if (digest.algorithm() != "sha256")
    throw Error{ErrorKind::usage, fmt::format("packages are named by their sha256, not by {}", digest.text())};
  return m_root / "sha256" / digest.hex() / package_name;
}

bool WorkingStore::has(const Digest& digest) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(package(digest), ignored);
}

fs::Path WorkingStore::find(const Digest& digest) const {
  if (!has(digest)) {
    throw Error{ErrorKind::not_found, fmt::format("{} is not in the store {} (capsule-download brings it there)",
                                                  digest.text(), printable(m_root.string(), 1024))};
  }
  return package(digest);
}

void WorkingStore::prepare(const Digest& digest) const {
  const auto folder = package(digest).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
}

void WorkingStore::put_sibling(const Digest& digest, std::string_view suffix, std::string_view content) const {
  auto target = package(digest);
  target += suffix;
  std::error_code ignored;
  if (std::filesystem::is_regular_file(target, ignored) &&
      std::filesystem::file_size(target, ignored) == content.size() &&
      fs::read_file(target, content.size()) == content) {
    return;
  }
  fs::write_file(target, content);
}

void WorkingStore::adopt(const Digest& digest, const fs::Path& file) const {
  prepare(digest);
  const auto target = package(digest);
  if (std::rename(file.c_str(), target.c_str()) != 0) fs::throw_errno("create", target, errno);
  sync_folder(target.parent_path());
  sync_folder(target.parent_path().parent_path());
}

void WorkingStore::discard_unfinished(const Digest& digest) const noexcept {
  try {
    if (!has(digest)) {
      std::error_code ignored;
      std::filesystem::remove_all(package(digest).parent_path(), ignored);
    }
  } catch (...) {
    return;  // nothing to discard where the name itself is refused
  }
}

}  // namespace capsule::image
