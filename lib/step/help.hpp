#pragma once

#include <string>

#include "step/run.hpp"

namespace capsule::step {

/// The part of the help below the options: outputs, exit codes, the example.
std::string footer_of(const Manual& manual);

}  // namespace capsule::step
