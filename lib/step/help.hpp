#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "step/run.hpp"

namespace capsule::step {

/// Each exit code that the program can end with, and what it means.
std::vector<std::pair<int, std::string_view>> exit_codes_of(const Manual& manual);

/// The part of the help below the options: outputs, exit codes, the example.
std::string footer_of(const Manual& manual);

}  // namespace capsule::step
