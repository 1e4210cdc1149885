#include "process/disk_watch.hpp"

#include <sys/statvfs.h>

#include <algorithm>

namespace capsule::process {

namespace {

/// A small file system is worth no more than this part of it.
constexpr std::uint64_t smallest_part = 16;

}  // namespace

DiskWatch::DiskWatch(std::vector<std::string> folders, std::uint64_t reserve)
    : m_folders(std::move(folders)), m_reserve(reserve) {}

std::optional<Full> DiskWatch::short_of_room() const {
  for (const auto& folder : m_folders) {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) continue;
    const std::uint64_t all = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    const std::uint64_t left = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (left < std::min(m_reserve, all / smallest_part)) return Full{folder, all - left, all};
  }
  return std::nullopt;
}

}  // namespace capsule::process
