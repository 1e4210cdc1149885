#include "step/command_line.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "step/arguments.hpp"

namespace capsule::step {

namespace {

constexpr std::array<std::string_view, 2> folder_types{"DIR", "FOLDER"};
constexpr std::array<std::string_view, 9> file_types{"FILE", "PATH",    "PREFIX", "KEY",   "KEY.pem",
                                                     "PUB",  "CAPSULE", "SOURCE", "BUNDLE"};

template <typename List>
bool has(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool has_capital(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c) != 0; });
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

/// CLI11 hands out a type name with what its validators say behind it: "FORM:{json,text}", "N:1 to 1000".
void read_type(const std::string& type, Argument& argument) {
  argument.value = type;
  if (const auto set = type.find(":{"); set != std::string::npos && type.ends_with('}')) {
    argument.value = type.substr(0, set);
    argument.choices = split(std::string_view{type}.substr(set + 2, type.size() - set - 3));
  } else if (const auto colon = type.find(':');
             colon != std::string::npos && std::isdigit(static_cast<unsigned char>(type[colon + 1])) != 0) {
    argument.value = type.substr(0, colon);
    argument.range = type.substr(colon + 1);
  } else if (!has_capital(type)) {
    argument.choices = {type};
  }
}

ValueKind kind_of(const Argument& argument) {
  if (!argument.choices.empty()) return ValueKind::choice;
  if (has(folder_types, argument.value)) return ValueKind::folder;
  return has(file_types, argument.value) ? ValueKind::file : ValueKind::text;
}

Argument argument_of(const CLI::Option& option) {
  Argument out{.names = {},
               .text = option.get_description(),
               .value = {},
               .range = {},
               .preset = option.get_default_str(),
               .environment = option.get_envname(),
               .is_required = option.get_required(),
               .is_repeatable = option.get_expected_max() > 1};
  for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  if (option.get_items_expected_max() == 0) return out;
  read_type(option.get_type_name(), out);
  out.kind = kind_of(out);
  return out;
}

}  // namespace

CommandLine command_line_of(const CLI::App& app) {
  CommandLine out{app.get_name(), app.get_description(), {}, {}, {}};
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    auto argument = argument_of(*option);
    if (!argument.names.empty()) out.options.push_back(argument);
    if (!option->get_positional()) continue;  // some are both: `list NAME`, `list --name NAME`
    argument.names = {option->get_name(true)};
    out.positionals.push_back(std::move(argument));
  }
  for (const auto* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    out.subcommands.push_back(command_line_of(*subcommand));
    auto& options = out.subcommands.back().options;
    for (const auto* option : app.get_options()) {
      if (is_common(*option) && subcommand->get_option_no_throw(option->get_name()) == nullptr)
        options.push_back(argument_of(*option));
    }
  }
  return out;
}

}  // namespace capsule::step
