#include "process/exec_texts.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::process {

void check_text(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos)
    throw Error{ErrorKind::usage, fmt::format("{} holds a NUL byte: {}", what, printable(text))};
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> argument_texts(const Command& command) {
  std::vector<std::string> out{command.program};
  out.insert(out.end(), command.arguments.begin(), command.arguments.end());
  for (const auto& text : out) check_text(text, "an argument of a command");
  return out;
}

std::vector<std::string> environment_texts(const Command& command) {
  std::vector<std::string> out;
  out.reserve(command.environment.size());
  for (const auto& [name, value] : command.environment) {
    if (name.empty() || name.find('=') != std::string::npos)
      throw Error{ErrorKind::usage, fmt::format("no name of an environment variable: '{}'", printable(name))};
    out.push_back(fmt::format("{}={}", name, value));
    check_text(out.back(), "an environment variable");
  }
  return out;
}

}  // namespace capsule::process
