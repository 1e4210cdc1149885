#pragma once

#include <string>
#include <vector>

#include "process/process.hpp"

// Programs under test.

/// A shell script; the child's own shell, never ours.
inline capsule::process::Command shell(std::string script) {
  capsule::process::Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", std::move(script)};
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  return command;
}

inline capsule::process::Command python(std::string script) {
  capsule::process::Command command;
  command.program = "/usr/bin/python3";
  command.arguments = {"-S", "-c", std::move(script)};
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  return command;
}
