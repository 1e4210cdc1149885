#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace capsule::process {

/// How much a folder's files and folders take of the disk, summed up a few entries at a time, while strangers write
/// there. Blocks count, not sizes (a sparse file takes little); a file with several names counts once; links are not
/// followed, and other file systems are not entered. What vanishes meanwhile or cannot be read does not count, nor what
/// is more than 64 folders deep, nor a file that was removed while it is open.
class FolderUse {
 public:
  explicit FolderUse(std::string folder);
  /// Looks at up to `entries` more; whether that was the last of them.
  bool look(std::size_t entries);
  /// What was found since begin(), in bytes.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }
  /// From the beginning.
  void begin();

 private:
  struct Close {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
  };
  using OpenFolder = std::unique_ptr<DIR, Close>;

  void look_at_one();
  void count(const struct stat& status);
  void enter(int above, const char* name);

  std::string m_folder;
  std::uint64_t m_bytes = 0;
  dev_t m_device = 0;
  std::vector<OpenFolder> m_open;  ///< from the folder itself down to where it looks now
  std::set<ino_t> m_large;         ///< that have been counted: one may be seen again, under another name
};

}  // namespace capsule::process
