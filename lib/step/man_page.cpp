#include "step/man_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "step/help.hpp"

namespace capsule::step {

namespace {

/// Text as roff shows it unchanged: '-' is a hyphen unless escaped, and a line that begins with '.' or ''' a request.
std::string roff(std::string_view text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + roff(text) + "\\fR";
}

std::string italic(std::string_view text) {
  return "\\fI" + roff(text) + "\\fR";
}

std::string upper(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

/// A sentence's end, where there is none yet.
std::string sentence(std::string_view text) {
  return std::string{text} + (text.ends_with('.') ? "" : ".");
}

std::string details_of(const Argument& argument) {
  auto out = sentence(argument.text);
  if (argument.choices.size() > 1) out += fmt::format(" One of {}.", fmt::join(argument.choices, ", "));
  if (!argument.range.empty()) out += fmt::format(" From {}.", argument.range);
  if (!argument.preset.empty()) out += fmt::format(" Default: {}.", argument.preset);
  if (argument.is_repeatable) out += " Repeatable.";
  if (argument.is_required) out += " Required.";
  return out;
}

std::string positional_text(const Argument& argument) {
  const auto name = italic(upper(argument.names.front()));
  return argument.is_required ? name : "[" + name + "]";
}

std::string option_text(const Argument& option) {
  std::string out;
  for (const auto& name : option.names) out += (out.empty() ? "" : ", ") + bold(name);
  return option.value.empty() ? out : out + " " + italic(option.value);
}

std::string entry(const std::string& head, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", head, roff(text));
}

std::string entries(const CommandLine& command) {
  std::string out;
  for (const auto& positional : command.positionals)
    out += entry(italic(upper(positional.names.front())), details_of(positional));
  for (const auto& option : command.options) {
    out += entry(option_text(option), details_of(option));
    if (!option.environment.empty()) out += roff("Environment: ") + bold(option.environment) + "\n";
  }
  return out;
}

std::string synopsis(const CommandLine& command, std::string_view program) {
  auto out = bold(program);
  if (command.name != program) out += " " + bold(command.name);
  out += " [" + italic("OPTION") + "]...";
  for (const auto& positional : command.positionals) out += " " + positional_text(positional);
  return out + "\n";
}

std::string examples(const Manual& manual) {
  auto out = roff(manual.example) + "\n";
  for (const auto& [name, example] : manual.subcommands) out += roff(example) + "\n";
  return ".SH EXAMPLES\n.nf\n" + out + ".fi\n";
}

}  // namespace

std::string man_page(const CommandLine& program, const Manual& manual, const std::string& date,
                     const std::string& version) {
  auto purpose = program.text;
  if (purpose.ends_with('.')) purpose.pop_back();
  auto out =
      fmt::format(".TH {} 1 \"{}\" \"Capsule Loop {}\" \"User Commands\"\n", roff(upper(program.name)), date, version);
  out += fmt::format(".SH NAME\n{} \\- {}\n", roff(program.name), roff(purpose));
  out += ".SH SYNOPSIS\n" + synopsis(program, program.name);
  for (const auto& command : program.subcommands) out += ".br\n" + synopsis(command, program.name);
  out += ".SH DESCRIPTION\n" + roff(sentence(program.text)) + "\n";
  out += roff(
             "The result is one JSON object on stdout, or a few lines where stdout is a terminal; what people are told "
             "goes to stderr. An option counts before its environment variable.") +
         "\n";
  out += ".SH OPTIONS\n" + entries(program);
  if (!program.subcommands.empty()) out += ".SH COMMANDS\n";
  for (const auto& command : program.subcommands)
    out += ".SS " + roff(command.name) + "\n" + roff(sentence(command.text)) + "\n" + entries(command);
  if (!manual.outputs.empty()) {
    out += ".SH OUTPUTS\n" + roff("One file each in the folder of --outputs, and a member of the result each.") + "\n";
    for (const auto& output : manual.outputs) out += entry(bold(output.name), sentence(output.text));
  }
  out += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_codes_of(manual)) out += entry(bold(std::to_string(code)), sentence(meaning));
  return out + examples(manual);
}

}  // namespace capsule::step
