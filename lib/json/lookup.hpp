#pragma once

#include <string>
#include <string_view>

#include "json/value.hpp"

namespace capsule::json {

// For documents of others, in which what is missing or of another type counts as nothing; json/cursor.hpp refuses it.

/// The text at a JSON pointer (RFC 6901), or nothing where there is none.
std::string text_at(const Value& value, std::string_view pointer);

/// The text under `key`, taken as it is ('/' and all), of the object at a JSON pointer, or nothing where there is none.
std::string text_at(const Value& value, std::string_view pointer, std::string_view key);

/// The array at a JSON pointer, or an empty one where there is none.
const Array& array_at(const Value& value, std::string_view pointer);

}  // namespace capsule::json
