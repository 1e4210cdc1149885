#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace capsule::process {

/// The program `name` in PATH; relative entries do not count, which would make the working folder a place of programs.
std::optional<std::string> find_program(std::string_view name);

/// What a helper of the user's (a credential helper, a credential plug-in) gets of our environment: all but our own
/// CAPSULE_… variables, which may hold secrets that are none of its business.
std::map<std::string, std::string> environment_for_helper();

}  // namespace capsule::process
