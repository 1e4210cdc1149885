#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace capsule::step {

/// What a shell may offer as a value.
enum class ValueKind {
  none,    ///< the option is a flag
  text,    ///< something that no shell can know
  choice,  ///< one of `choices`
  file,    ///< a path
  folder,
};

/// One option or positional, as its definition says.
struct Argument {
  std::vector<std::string> names;  ///< "-p", "--parameter"; of a positional one, what the help calls it
  std::string text;                ///< what it is
  std::string value;               ///< what its value is called; empty for a flag
  std::string range;               ///< "1 to 1000", or nothing
  std::string preset;              ///< the value that it has when it is not given, if the definition has one
  std::string environment;         ///< the variable that gives it too, or nothing
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices{};
  bool is_required = false;
  bool is_repeatable = false;
};

/// A program, or one of its subcommands.
struct CommandLine {
  std::string name;
  std::string text;  ///< its purpose
  std::vector<Argument> options;
  std::vector<Argument> positionals;
  std::vector<CommandLine> subcommands;
};

/// Reads the definitions of `app`; what is hidden from the help (an option without a group) is left out. What kind a
/// value is follows from its type name: FILE, DIR and so on; one without a capital ("this-machine") is the only choice.
CommandLine command_line_of(const CLI::App& app);

}  // namespace capsule::step
