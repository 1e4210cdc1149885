#pragma once

#include <chrono>

#include "fs/fd.hpp"

namespace capsule::fs {

/// Holds an exclusive lock (flock) on a file, created if it is missing, or on a folder, until it goes; a file that may
/// only be read is locked too. The kernel releases it when the process ends, however it ends.
class FileLock {
 public:
  /// Waits up to `patience`; then Error busy.
  FileLock(const Path& path, std::chrono::milliseconds patience);

 private:
  Fd m_fd;
};

}  // namespace capsule::fs
