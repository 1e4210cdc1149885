#include "step/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::step {

namespace {

constexpr std::size_t max_value_bytes = std::size_t{4} << 20U;

std::string read_value(const std::string& path) {
  if (path.empty()) throw Error{ErrorKind::usage, "'@' needs the name of a file behind it"};
  auto text = fs::read_file(path, max_value_bytes);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string environment_name(std::string_view option) {
  std::string name = "CAPSULE_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

void add_environment_names(CLI::App& app) {
  for (auto* option : app.get_options()) {
    const auto& names = option->get_lnames();
    if (names.empty() || !option->get_envname().empty() || names.front() == "help" || names.front() == "version")
      continue;
    option->envname(environment_name(names.front()));
  }
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) add_environment_names(*subcommand);
}

std::vector<std::string> expand_arguments(int argc, char** argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.empty()) continue;
    const auto equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    if (equals != std::string::npos) {
      const auto value = argument.substr(equals + 1);
      if (value.empty()) continue;
      const auto expanded = value.starts_with('@') ? read_value(value.substr(1)) : value;
      if (!expanded.empty()) out.push_back(argument.substr(0, equals + 1) + expanded);
    } else if (argument.starts_with('@')) {
      const auto expanded = read_value(argument.substr(1));
      if (!expanded.empty()) out.push_back(expanded);
    } else {
      out.push_back(argument);
    }
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace capsule::step
