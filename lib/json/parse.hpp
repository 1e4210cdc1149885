#pragma once

#include <string_view>

#include "json/value.hpp"

namespace capsule::json {

struct ParseLimits {
  std::size_t bytes = std::size_t{4} << 20U;
  std::size_t depth = 32;
};

/// Parses one document (RFC 8259). Throws Error invalid_input that names `what` (a file name) and the JSON pointer of
/// the fault: duplicate keys, bad UTF-8, unpaired surrogates, NaN or Infinity, comments, text after the value, too
/// large, too deep.
Value parse(std::string_view text, std::string_view what, const ParseLimits& limits = {});

}  // namespace capsule::json
