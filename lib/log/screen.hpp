#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace capsule::log {

/// Writes whole lines to stderr; a bar that stands in the last line is wiped before and drawn again after.
void print_above_bar(std::string_view lines);

/// The same, but returns at once, and drops the lines, where stderr takes nothing.
void print_if_taken(std::string_view lines) noexcept;

/// Columns of the terminal that stderr is, at this moment; 80 where it does not say.
std::size_t screen_width();

/// Sets the bar (ASCII, no newline), or removes it when empty. What does not fit into the line is cut off: a bar that
/// wraps could not be wiped.
void set_bar(std::string bar);

/// Removes the bar for good: the process ends. Returns at once, and leaves the bar, where the terminal takes nothing
/// (it was stopped with Ctrl-S).
void close_bar() noexcept;

}  // namespace capsule::log
