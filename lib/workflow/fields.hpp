#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/cursor.hpp"

namespace capsule::workflow {

/// Of every list in a workflow file; what is done with two of them together stays quick.
inline constexpr std::size_t max_elements = 10'000;

/// A value that Argo takes as text, although it may be written as a number or boolean.
std::string scalar(const json::Cursor& at);
/// The same of a member; empty where there is none.
std::string text_or_empty(const json::Cursor& at, std::string_view key);
/// The elements of an array that may be missing; more than `max_elements` are a fault.
std::vector<json::Cursor> elements_or_none(const json::Cursor& at, std::string_view key);
/// "90s", "1h30m", or whole seconds.
std::optional<std::chrono::milliseconds> duration_if(const json::Cursor& at, std::string_view key);
/// The member `name` of a parameter: letters, digits, '-' and '_', at most 128 in all (Argo's rule, which has no
/// limit).
std::string read_parameter_name(const json::Cursor& at);
/// The member `name`, as Argo lets templates, steps and tasks be called: letters, digits, '-' and '_', a letter or
/// digit first, at most 128 in all.
std::string read_name(const json::Cursor& at);

}  // namespace capsule::workflow
