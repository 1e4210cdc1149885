#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fs/fd.hpp"
#include "json/value.hpp"

namespace capsule::step {

/// The value of --outputs as typed, else that of CAPSULE_OUTPUTS, else nothing: for arguments that cannot be parsed.
std::string outputs_folder_in(int argc, char** argv);

/// The folder of --outputs: one file per output, and report.json. What an earlier run left there never passes for what
/// this one found. Files of others stay.
class OutputFolder {
 public:
  /// Removes report.json and the outputs in `names` that an earlier run left in `folder`; notes those it had beyond
  /// them, which may still be read as input. Error usage where something else than a folder is there. Where this is not
  /// called, throws, or has an empty path, write() does nothing.
  void begin(const fs::Path& folder, const std::vector<std::string>& names);
  /// Removes what begin() noted, writes a file for each of `files` (name, content), and `report` last.
  void write(const std::vector<std::pair<std::string, std::string>>& files, const json::Object& report);

 private:
  fs::Path m_path;
  std::vector<fs::Path> m_old;
};

}  // namespace capsule::step
