#pragma once

#include <vector>

#include "capsule/package_writer.hpp"
#include "fs/fd.hpp"

namespace capsule {

/// The files of a folder, as they were when it was walked: one that has another size by now is Error invalid_input.
class FolderFiles final : public InputFiles {
 public:
  /// Both must outlive it.
  FolderFiles(const fs::Path& folder, const std::vector<PackageContent::File>& files)
      : m_folder(folder), m_files(files) {}

  Bytes open(std::size_t file) override;
  void read(std::vector<MutableBytes>& pieces) override;
  void close() override;

 private:
  [[noreturn]] void refuse_change() const;
  const fs::Path& m_folder;
  const std::vector<PackageContent::File>& m_files;
  fs::Path m_path;
  fs::Fd m_fd;
};

}  // namespace capsule
