#pragma once

#include <sys/types.h>

#include "fs/fd.hpp"

namespace capsule::fs {

/// A file that appears whole or not at all: written beside its target without a name (O_TMPFILE, so that not even kill
/// -9 leaves anything; a named temporary file where the file system lacks that), made durable with fsync, then renamed
/// over the target; what a kill between naming and renaming leaves, the next writer of that target removes. The
/// destructor never commits: an exception on the way must not publish half a file.
class AtomicFile final : public Sink {
 public:
  /// The target's folder must exist.
  explicit AtomicFile(Path target, mode_t mode = 0644);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() override;

  void write(ByteView bytes) override;
  /// Overwrites at an offset: for a place that was kept and is filled last.
  void write_at(std::uint64_t offset, ByteView bytes);
  [[nodiscard]] int fd() const noexcept { return m_fd.get(); }
  /// Another target in the same folder: for a file that is named by its digest, known only at its end.
  void set_target(Path target) { m_target = std::move(target); }

  enum class Overwrite { no, yes };
  /// Makes the file visible. With Overwrite::no an existing target is Error conflict.
  void commit(Overwrite overwrite = Overwrite::yes);

 private:
  [[nodiscard]] Path name_beside(const std::string& self) const;

  Path m_target;
  Path m_temporary;  ///< empty while the file has no name
  Fd m_fd;
  bool m_committed = false;
};

/// Writes a small file in one go, atomically.
void write_file(const Path& target, std::string_view content, mode_t mode = 0644);

/// Removes what killed writers of `target` may have left under other names, on file systems without O_TMPFILE. For the
/// only writer of it.
void sweep_temporaries(const Path& target);

}  // namespace capsule::fs
