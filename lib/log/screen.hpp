#pragma once

#include <string>
#include <string_view>

namespace capsule::log {

/// Writes whole lines to stderr; a bar that stands in the last line is wiped before and drawn again after.
void print_above_bar(std::string_view lines);

/// Sets the bar (one line, no newline), or removes it when empty.
void set_bar(std::string bar);

}  // namespace capsule::log
