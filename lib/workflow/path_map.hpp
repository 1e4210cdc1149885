#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace capsule::workflow {

/// Replaces the mount paths of a template by folders of this machine, at path boundaries: `/work` in `--out=/work/x`,
/// not in `/workshop` or `/home/work`. Longer paths win.
class PathMap {
 public:
  void add(std::string mount, std::string folder);
  [[nodiscard]] std::string apply(std::string_view text) const;

 private:
  std::vector<std::pair<std::string, std::string>> m_entries;
};

}  // namespace capsule::workflow
