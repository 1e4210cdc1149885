#include "process/helper.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace capsule::process {

std::optional<std::string> find_program(std::string_view name) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const auto folder = rest.substr(0, rest.find(':'));
    auto program = fmt::format("{}/{}", folder, name);
    if (folder.starts_with('/') && ::access(program.c_str(), X_OK) == 0) return program;
    rest.remove_prefix(std::min(folder.size() + 1, rest.size()));
  }
  return std::nullopt;
}

std::map<std::string, std::string> environment_for_helper() {
  std::map<std::string, std::string> out;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text{*variable};
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("CAPSULE_")) continue;
    out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

}  // namespace capsule::process
