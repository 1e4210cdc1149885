#pragma once

#include <string>

#include "step/command_line.hpp"
#include "step/run.hpp"

namespace capsule::step {

/// The manual page, section 1, in the roff of man(7). `date` (YYYY-MM-DD) is when it was made, `version` of what.
std::string man_page(const CommandLine& program, const Manual& manual, const std::string& date,
                     const std::string& version);

}  // namespace capsule::step
