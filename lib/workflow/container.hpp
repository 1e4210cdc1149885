#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/cursor.hpp"
#include "workflow/model.hpp"

namespace capsule::workflow {

/// Reads `volumes`: names and sources as Kubernetes lets them be called, so that none leads out of its folder.
std::vector<Volume> read_volumes(const json::Cursor& at);

/// Reads a container. Refused beside what no Argo knows: a command that names no program, mount paths that are not
/// absolute, plain and different, variables that would load other code into a step (LD_*, GCONV_PATH, …): a workflow
/// runs the programs beside capsule-run, and nothing else.
Container read_container(const json::Cursor& at);

/// Where a path of the container lies: in the volume of the longest mount path in front of it.
struct MountedPath {
  std::string volume;  ///< empty: in no mount
  std::string rest;    ///< behind the mount path, without a slash in front
};
MountedPath locate(const Container& container, std::string_view path);

}  // namespace capsule::workflow
