#pragma once

#include <vector>

#include "capsule/package_writer.hpp"
#include "capsule/verified_capsule.hpp"
#include "fs/fd.hpp"

namespace capsule {

/// Keeps the files of a package that goes by, head apart, in a nameless file; then gives them in the order of their
/// paths.
class Spool final : public PackageObserver, public InputFiles {
 public:
  /// `folder` must exist and have room for what the package holds.
  explicit Spool(const fs::Path& folder);

  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override;
  void file_bytes(ByteView bytes) override;

  /// All files were seen: what they are, sorted, as open() counts them.
  std::vector<PackageContent::File> sort();

  Bytes open(std::size_t file) override;
  void read(std::vector<MutableBytes>& pieces) override;
  void close() override {}

 private:
  struct Kept {
    PackageContent::File file;
    std::uint64_t offset = 0;  ///< in the nameless file, bytes
  };
  void read_at(std::uint64_t offset, MutableBytes place) const;

  fs::Path m_folder;
  fs::Fd m_fd;
  std::vector<Kept> m_files;
  std::uint64_t m_end = 0;
  std::size_t m_current = 0;
  std::uint64_t m_position = 0;
  bool m_keeping = false;
};

}  // namespace capsule
