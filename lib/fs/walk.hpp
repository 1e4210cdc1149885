#pragma once

#include <vector>

#include "fs/fd.hpp"
#include "fs/safe_path.hpp"

namespace capsule::fs {

struct WalkedFile {
  SafePath path;       ///< relative to the root
  std::uint64_t size;  ///< bytes
};

struct Walk {
  std::vector<WalkedFile> files;     ///< regular files, byte-wise by path
  std::vector<std::string> skipped;  ///< `__pycache__`, `.git`, `.DS_Store`: relative paths
};

/// All regular files below `root`. Throws Error invalid_input for links, devices, FIFOs, sockets, bad names, names that
/// differ only in ASCII case, and for more than `max_files`.
Walk walk(const Path& root, std::size_t max_files = 100'000);

}  // namespace capsule::fs
