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

std::string DiskWatch::short_of_room() const {
  const auto is_short = [this](const std::string& folder) {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return false;
    const std::uint64_t all = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    const std::uint64_t left = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    return left < std::min(m_reserve, all / smallest_part);
  };
  const auto found = std::find_if(m_folders.begin(), m_folders.end(), is_short);
  return found == m_folders.end() ? "" : *found;
}

}  // namespace capsule::process
