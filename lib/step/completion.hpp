#pragma once

#include <string>

#include "step/command_line.hpp"

namespace capsule::step {

// Files that a shell loads to complete a program's arguments: options, values of those that have a few, files or
// folders where a path is wanted, subcommands. Each needs nothing but its shell.

std::string bash_completion(const CommandLine& program);
std::string zsh_completion(const CommandLine& program);
std::string fish_completion(const CommandLine& program);

}  // namespace capsule::step
