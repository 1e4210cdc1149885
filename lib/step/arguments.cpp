#include "step/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::step {

namespace {

constexpr std::string_view document_type = "JSON";
constexpr std::size_t max_value_bytes = std::size_t{4} << 20U;

std::string read_value(const std::string& path) {
  if (path.empty()) throw Error{ErrorKind::usage, "'@' needs the name of a file behind it"};
  auto text = as_usage("", [&] { return fs::read_file(path, max_value_bytes); });
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string environment_name(std::string_view option) {
  std::string name = "CAPSULE_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// An option of the (sub)command that is used, or of the program above it.
const CLI::Option* find_option(const CLI::App* app, const std::string& name) {
  if (!name.starts_with("--")) return nullptr;
  for (; app != nullptr; app = app->get_parent()) {
    const auto options = app->get_options();
    const auto found = std::find_if(options.begin(), options.end(),
                                    [&](const CLI::Option* option) { return option->check_name(name); });
    if (found != options.end()) return *found;
  }
  return nullptr;
}

/// Whether an option's value is a document. No other value is ever read from a file: what a workflow puts in could
/// name a mounted key, and the error about a bad value would print it.
bool takes_document(const CLI::App* app, const std::string& name) {
  const auto* option = find_option(app, name);
  return option != nullptr && option->get_type_name() == document_type;
}

/// Argo puts an argument of over 128 KiB as a whole into a file, and `@FILE` in its place: what such a file holds where
/// it is `--option=document`; nothing otherwise.
std::optional<std::string> document_argument(const CLI::App* app, const std::string& argument) {
  if (!argument.starts_with("@/")) return std::nullopt;
  try {
    auto text = fs::read_file(argument.substr(1), max_value_bytes);
    if (!takes_document(app, text.substr(0, text.find('=')))) return std::nullopt;
    return text;
  } catch (const Error&) {
    return std::nullopt;  // no file of Argo's
  }
}

std::string text_of(const CLI::Option& option) {
  std::string text = option.get_positional() ? "" : option.get_name();
  if (option.get_items_expected_min() == 0) return text;  // a flag
  for (const auto& value : option.results()) text += (text.empty() ? "" : " ") + value;
  return text;
}

/// A used subcommand reads the environment for itself; the program's own options keep only what is common.
void leave_environment_to(const CLI::App& subcommand, CLI::App& app) {
  for (auto* option : app.get_options()) {
    const bool is_twin =
        !option->get_lnames().empty() && subcommand.get_option_no_throw("--" + option->get_lnames().front()) != nullptr;
    if (is_twin || !is_common(*option)) option->envname("");
  }
}

bool is_typed(const CLI::Option& option, const std::vector<std::string>& reversed) {
  const auto end_of_options = std::find(reversed.rbegin(), reversed.rend(), "--");
  return std::any_of(reversed.rbegin(), end_of_options, [&](const std::string& argument) {
    return argument.starts_with("--") && option.check_name(argument.substr(0, argument.find('=')));
  });
}

}  // namespace

bool is_common(const CLI::Option& option) {
  const auto& names = option.get_lnames();
  constexpr std::array<std::string_view, 5> common{"help", "version", "output", "outputs", "state"};
  return !names.empty() && std::find(common.begin(), common.end(), names.front()) != common.end();
}

void add_environment_names(CLI::App& app) {
  for (auto* option : app.get_options()) {
    const auto& names = option->get_lnames();
    if (names.empty() || !option->get_envname().empty() || !option->get_configurable()) continue;
    option->envname(environment_name(names.front()));
  }
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) {
    add_environment_names(*subcommand);
    // With this callback CLI11 reads a subcommand's environment when the subcommand is used, and only then: before the
    // program's own, which must not overwrite an option of the same name.
    subcommand->parse_complete_callback([&app, subcommand] { leave_environment_to(*subcommand, app); });
  }
}

void take_one_value_each_time(CLI::App& app) {
  for (auto* option : app.get_options())
    if (!option->get_positional()) option->allow_extra_args(false);
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) take_one_value_each_time(*subcommand);
}

std::vector<std::string> expand_arguments(const CLI::App& program, int argc, char** argv) {
  std::vector<std::string> out;
  const auto* app = &program;      // or the subcommand that is used
  bool value_of_document = false;  // the argument before was `--option` of a document
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.empty()) {
      // `--option ''` is an option without a value: not given.
      const auto* option = out.empty() ? nullptr : find_option(app, out.back());
      if (option != nullptr && option->get_items_expected_min() > 0) out.pop_back();
      value_of_document = false;
      continue;
    }
    const auto equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    if (equals != std::string::npos) {
      const auto value = argument.substr(equals + 1);
      if (value.empty()) continue;
      if (value.starts_with('@') && takes_document(app, argument.substr(0, equals)))
        argument = argument.substr(0, equals + 1) + read_value(value.substr(1));
    } else if (value_of_document && argument.starts_with('@')) {
      argument = read_value(argument.substr(1));
    } else if (auto whole = document_argument(app, argument)) {
      argument = std::move(*whole);
    } else if (const auto found =
                   app->get_subcommands([&](const CLI::App* one) { return one->get_name() == argument; });
               !found.empty()) {
      app = found.front();
    }
    value_of_document = equals == std::string::npos && takes_document(app, argument);
    out.push_back(std::move(argument));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

void let_flags_win(CLI::App& app, const std::vector<std::string>& arguments) {
  for (const auto* option : app.get_options()) {
    if (!is_typed(*option, arguments)) continue;
    for (auto* excluded : option->get_excludes()) excluded->envname("");
  }
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) let_flags_win(*subcommand, arguments);
}

void refuse_strangers(const CLI::App& app) {
  if (app.get_subcommands().empty()) return;
  std::string strangers;
  for (const auto* option : app.get_options()) {
    if (option->count() == 0 || is_common(*option)) continue;
    strangers += (strangers.empty() ? "" : ", ") + text_of(*option);
  }
  if (strangers.empty()) return;
  const auto& subcommand = app.get_subcommands().front()->get_name();
  throw Error{ErrorKind::usage, fmt::format("'{}' takes no: {} (see {} {} --help)", subcommand,
                                            printable(strangers, 1024), app.get_name(), subcommand)};
}

}  // namespace capsule::step
