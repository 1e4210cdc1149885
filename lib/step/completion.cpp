#include "step/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

namespace capsule::step {

namespace {

/// `text` with a backslash before each character that is in `special`.
std::string escape(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// What bash and zsh read as `text`: 'it'\''s'.
std::string quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + "'";
}

std::string header(const CommandLine& program, std::string_view shell) {
  return fmt::format("# Completes {0} in {1}; made by `{0} --completion {1}`.\n", program.name, shell);
}

std::vector<std::string> names_of(const std::vector<CommandLine>& commands) {
  std::vector<std::string> out;
  out.reserve(commands.size());
  for (const auto& command : commands) out.push_back(command.name);
  return out;
}

std::vector<std::string> option_names(const CommandLine& command) {
  std::vector<std::string> out;
  for (const auto& option : command.options) out.insert(out.end(), option.names.begin(), option.names.end());
  return out;
}

ValueKind first_positional(const CommandLine& command) {
  return command.positionals.empty() ? ValueKind::text : command.positionals.front().kind;
}

/// A name that a shell function may have.
std::string function_of(const CommandLine& program) {
  std::string out = "_" + program.name;
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

// bash

std::string bash_offer(ValueKind kind, const std::vector<std::string>& words) {
  switch (kind) {
    case ValueKind::choice:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W {} -- \"$word\")",
                         quote(fmt::format("{}", fmt::join(words, " "))));
    case ValueKind::file:
      return "compopt -o default";
    case ValueKind::folder:
      return "compopt -o dirnames";
    default:
      return ":";
  }
}

/// The cases of one command: `command:before)`, what comes before the word that is typed.
std::string bash_cases(const CommandLine& command, std::string_view name) {
  std::string out;
  for (const auto& option : command.options) {
    if (option.kind == ValueKind::none) continue;
    std::vector<std::string> patterns;
    for (const auto& spelling : option.names) patterns.push_back(fmt::format("{}:{}", name, spelling));
    out += fmt::format("    {}) {}; return ;;\n", fmt::join(patterns, " | "), bash_offer(option.kind, option.choices));
  }
  return out;
}

/// Where a subcommand can stand, and a file or folder in its place: bash's own completion comes in only where ours has
/// nothing.
std::string bash_first_word(const CommandLine& command, ValueKind instead) {
  const auto words = quote(fmt::format("{}", fmt::join(names_of(command.subcommands), " ")));
  if (instead != ValueKind::file && instead != ValueKind::folder) {
    return bash_offer(ValueKind::choice, names_of(command.subcommands));
  }
  return fmt::format(
      "mapfile -t COMPREPLY < <(compgen -W {} -- \"$word\"; compgen {} -- \"$word\"); compopt -o filenames", words,
      instead == ValueKind::file ? "-f" : "-d");
}

/// What is offered where no value of an option is due.
std::string bash_rest(const CommandLine& command, std::string_view name) {
  auto out = fmt::format("    {}:-*) {} ;;\n", name, bash_offer(ValueKind::choice, option_names(command)));
  const auto kind = first_positional(command);
  const auto& choices = command.positionals.empty() ? std::vector<std::string>{} : command.positionals.front().choices;
  return out + fmt::format("    {}:*) {} ;;\n", name,
                           command.subcommands.empty() ? bash_offer(kind, choices) : bash_first_word(command, kind));
}

// zsh

std::string zsh_text(std::string_view text) {
  return escape(text, "\\[]:");
}

std::string zsh_value(const Argument& argument) {
  const auto what = zsh_text(argument.value);
  switch (argument.kind) {
    case ValueKind::none:
      return "";
    case ValueKind::choice:
      return fmt::format(":{}:({})", what, fmt::join(argument.choices, " "));
    case ValueKind::file:
      return fmt::format(":{}:_files", what);
    case ValueKind::folder:
      return fmt::format(":{}:_files -/", what);
    case ValueKind::text:
      break;
  }
  return fmt::format(":{}: ", what);
}

std::string zsh_option(const Argument& option) {
  std::string out;
  const auto excludes =
      option.is_repeatable || option.names.size() == 1 ? "" : fmt::format("({})", fmt::join(option.names, " "));
  for (const auto& name : option.names) {
    const std::string_view joint = option.kind == ValueKind::none ? "" : name.starts_with("--") ? "=" : "+";
    out += " \\\n    " + quote(fmt::format("{}{}{}{}[{}]{}", excludes, option.is_repeatable ? "*" : "", name, joint,
                                           zsh_text(option.text), zsh_value(option)));
  }
  return out;
}

std::string zsh_arguments(const CommandLine& command, const std::string& first) {
  std::string out = "  _arguments -S";
  for (const auto& option : command.options) out += zsh_option(option);
  if (!first.empty()) return out + fmt::format(" \\\n    '1:: :{}'\n", first);
  for (const auto& positional : command.positionals) {
    const std::string_view times = positional.is_repeatable ? "*" : positional.is_required ? "" : ":";
    out += " \\\n    " + quote(fmt::format("{}{}", times, zsh_value(positional)));
  }
  return out + "\n";
}

/// The function that offers subcommands and what may stand in their place.
std::string zsh_first(const CommandLine& program, const std::string& name) {
  auto out = name + "() {\n  local -a commands\n  commands=(\n";
  for (const auto& command : program.subcommands)
    out += "    " + quote(fmt::format("{}:{}", command.name, escape(command.text, "\\"))) + "\n";
  out += "  )\n  _describe command commands\n";
  if (first_positional(program) == ValueKind::file) out += "  _files\n";
  if (first_positional(program) == ValueKind::folder) out += "  _files -/\n";
  return out + "}\n\n";
}

std::string zsh_subcommands(const CommandLine& program) {
  auto out = fmt::format("  local -i at=${{words[(i)({})]}}\n", fmt::join(names_of(program.subcommands), "|"));
  out +=
      "  if (( at < CURRENT )); then\n    local command=$words[at]\n    words[2,at]=()\n"
      "    (( CURRENT -= at - 1 ))\n    case $command in\n";
  for (const auto& command : program.subcommands)
    out += fmt::format("    {})\n{}    ;;\n", command.name, zsh_arguments(command, ""));
  return out + "    esac\n    return\n  fi\n";
}

// fish

std::string fish_quote(std::string_view text) {
  return "'" + escape(text, "\\'") + "'";
}

std::string fish_value(const Argument& argument) {
  switch (argument.kind) {
    case ValueKind::none:
      return "";
    case ValueKind::choice:
      return " -x -a " + fish_quote(fmt::format("{}", fmt::join(argument.choices, " ")));
    case ValueKind::file:
      return " -r -F";
    case ValueKind::folder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::text:
      break;
  }
  return " -x";
}

std::string fish_command(const CommandLine& command, const std::string& start) {
  std::string out;
  for (const auto& option : command.options) {
    out += start;
    for (const auto& name : option.names)
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    out += fmt::format("{} -d {}\n", fish_value(option), fish_quote(option.text));
  }
  const auto kind = first_positional(command);
  if (kind == ValueKind::file) return out;
  return out + start + " -f" + (kind == ValueKind::folder ? " -a '(__fish_complete_directories)'" : "") + "\n";
}

}  // namespace

std::string bash_completion(const CommandLine& program) {
  const auto name = function_of(program);
  auto out = header(program, "bash") + name + R"(() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
  # In --option=value the '=' is a word of its own.
  if [[ $word == = ]]; then
    word=''
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
)";
  if (!program.subcommands.empty())
    out += fmt::format(
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${{COMP_WORDS[i]}} in\n"
        "    {}) command=${{COMP_WORDS[i]}} ;;\n    esac\n  done\n",
        fmt::join(names_of(program.subcommands), " | "));
  out += "  COMPREPLY=()\n  case $command:$before in\n" + bash_cases(program, "");
  for (const auto& command : program.subcommands) out += bash_cases(command, command.name);
  out += "  esac\n  case $command:$word in\n" + bash_rest(program, "");
  for (const auto& command : program.subcommands) out += bash_rest(command, command.name);
  return out + fmt::format("  esac\n}}\ncomplete -F {} {}\n", name, program.name);
}

std::string zsh_completion(const CommandLine& program) {
  const auto name = "_" + program.name;  // the name of its file, which zsh loads
  const auto first = program.subcommands.empty() ? std::string{} : name + "-first";
  auto out = "#compdef " + program.name + "\n" + header(program, "zsh") + "\n";
  if (!first.empty()) out += zsh_first(program, first);
  out += name + "() {\n";
  if (!first.empty()) out += zsh_subcommands(program);
  out += zsh_arguments(program, first);
  return out + fmt::format("}}\n\nif [[ $funcstack[1] == {0} ]]; then\n  {0} \"$@\"\nelse\n  compdef {0} {1}\nfi\n",
                           name, program.name);
}

std::string fish_completion(const CommandLine& program) {
  const auto names = fmt::format("{}", fmt::join(names_of(program.subcommands), " "));
  const auto command = "complete -c " + program.name;
  const auto start =
      names.empty() ? command : fmt::format("{} -n 'not __fish_seen_subcommand_from {}'", command, names);
  auto out = header(program, "fish") + fish_command(program, start);
  for (const auto& subcommand : program.subcommands) {
    out += fmt::format("{} -a {} -d {}\n", start, subcommand.name, fish_quote(subcommand.text));
    out += fish_command(subcommand, fmt::format("{} -n '__fish_seen_subcommand_from {}'", command, subcommand.name));
  }
  return out;
}

}  // namespace capsule::step
