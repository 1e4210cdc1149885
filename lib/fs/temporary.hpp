#pragma once

#include <string>

#include "fs/fd.hpp"

namespace capsule::fs {

/// 16 random hexadecimal digits, from the kernel.
std::string random_name();

/// Named temporary files and folders of this process: removed by remove_temporaries() when a signal ends it.
void remember_temporary(const Path& path);
void forget_temporary(const Path& path) noexcept;
/// Removes all that is remembered. Called by the thread that handles signals, just before the process ends.
void remove_temporaries() noexcept;

/// A private folder (mode 0700) `<parent>/.tmp-<random>` that goes with its owner. A lock on it tells a living owner
/// from a dead one: creating one also removes what killed processes left in `parent`.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const Path& parent);
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const Path& path() const noexcept { return m_path; }

 private:
  Path m_path;
  Fd m_lock;
};

/// `$TMPDIR`, else /tmp.
Path temporary_parent();

}  // namespace capsule::fs
