#pragma once

#include <string>

#include "json/value.hpp"

namespace capsule::json {

/// Canonical form (RFC 8785): members sorted by UTF-16 code units, numbers as ECMAScript prints the double they are
/// (made from std::to_chars' shortest digits), no white space. What is hashed and signed. Error invalid_input for a
/// number beyond double, and for an integer that would come out as another one (Cursor::require_exact_integers).
std::string canonical(const Value& value);

/// One line, members in their order, numbers as written.
std::string compact(const Value& value);

/// For people and files: two spaces, members in their order, a newline at the end.
std::string pretty(const Value& value);

}  // namespace capsule::json
