#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "process/process.hpp"

namespace capsule::process {

/// The room that stays on the disks of some folders. A file that was removed while it is open takes room all the same,
/// which no sum over a folder's files sees: so what is left of the file system is looked at, whoever filled it.
class DiskWatch {
 public:
  /// `reserve`: bytes that stay free of each file system; of a small one no more than a sixteenth.
  DiskWatch(std::vector<std::string> folders, std::uint64_t reserve);
  /// The first folder on whose file system less is free (to an ordinary user). One that cannot be looked at, and a file
  /// system without a size, counts as roomy.
  [[nodiscard]] std::optional<Full> short_of_room() const;

 private:
  std::vector<std::string> m_folders;
  std::uint64_t m_reserve;
};

}  // namespace capsule::process
