#pragma once

#include <chrono>
#include <optional>

#include "fs/fd.hpp"

namespace capsule::fs {

/// Holds an exclusive lock (flock) on a file, created if it is missing, or on a folder, until it goes; a file that may
/// only be read is locked too. The kernel releases it when the process ends, however it ends.
class FileLock {
 public:
  /// Waits up to `patience`; then Error busy.
  FileLock(const Path& path, std::chrono::milliseconds patience);

 private:
  friend class TemporaryLock;
  Fd m_fd;
};

/// The same on a file that goes with it, also when a signal ends this process: for a lock of one piece of work, of
/// which there are ever more. Whoever waited for a file that went waits for the next one of that name.
class TemporaryLock {
 public:
  TemporaryLock(Path path, std::chrono::milliseconds patience);
  TemporaryLock(const TemporaryLock&) = delete;
  TemporaryLock& operator=(const TemporaryLock&) = delete;
  ~TemporaryLock();

 private:
  Path m_path;
  std::optional<FileLock> m_lock;
};

}  // namespace capsule::fs
