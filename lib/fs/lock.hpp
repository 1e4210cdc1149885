#pragma once

#include <chrono>
#include <cstdint>

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

/// The same for one of ever more pieces of work: a lock on one byte of a file, chosen by a number, so that one empty
/// file serves all of them and nothing stays of a process that is killed.
class NumberedLock {
 public:
  /// Waits up to `patience`; then Error busy.
  NumberedLock(const Path& path, std::uint64_t number, std::chrono::milliseconds patience);

 private:
  Fd m_fd;
};

}  // namespace capsule::fs
