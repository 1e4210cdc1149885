#pragma once

#include <string_view>

namespace capsule::log {

/// An error that must not hold up a process that ends: as error() of log.hpp, but it returns at once, and is dropped,
/// where stderr takes nothing (a terminal that was stopped with Ctrl-S, a pipe that nobody empties).
void last_error(std::string_view message);

}  // namespace capsule::log
