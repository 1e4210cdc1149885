#include "workflow/token_access.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"

namespace capsule::workflow {

namespace {

constexpr std::string_view option = "--pkcs11-module";

/// The value in `--option=value`, else all of it.
std::string_view value_of(std::string_view argument) {
  const auto equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
  return equals == std::string_view::npos ? argument : argument.substr(equals + 1);
}

void require_same(std::string_view named, std::string_view module) {
  if (named.empty() || named == module) return;
  throw Error{
      ErrorKind::usage,
      fmt::format("a step of the workflow names the PKCS#11 module {}: it would load that code; if it shall, set "
                  "CAPSULE_PKCS11_MODULE to it for capsule-run",
                  printable(named, 1024))};
}

void check_key(std::string_view value, std::string_view module) {
  if (crypto::is_pkcs11_uri(value)) require_same(crypto::Pkcs11Uri::parse(value).module_path, module);
}

}  // namespace

bool names_token_key(const StepCommand& command) {
  const auto& words = command.arguments;
  return std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return crypto::is_pkcs11_uri(value_of(word)); }) ||
         std::any_of(command.environment.begin(), command.environment.end(),
                     [](const auto& variable) { return crypto::is_pkcs11_uri(variable.second); });
}

void check_module(const StepCommand& command, std::string_view module) {
  const auto& words = command.arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    check_key(value_of(words[i]), module);
    if (words[i] == option && i + 1 < words.size()) require_same(words[i + 1], module);
    if (words[i].starts_with(option) && words[i].size() > option.size()) require_same(value_of(words[i]), module);
  }
  for (const auto& [name, value] : command.environment) {
    check_key(value, module);
    if (name == "CAPSULE_PKCS11_MODULE") require_same(value, module);
  }
}

}  // namespace capsule::workflow
