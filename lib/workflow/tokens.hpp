#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workflow/expression.hpp"

namespace capsule::workflow {

struct Token {
  enum class Kind { end, number, string, word, tag, sign };
  Kind kind = Kind::end;
  std::string text;  ///< of a string: unquoted; of a tag: what stands between the braces
};

/// Splits an expression. Error usage for a character that belongs to nothing, an open quote or tag.
std::vector<Token> tokens_of(std::string_view text, Dialect dialect);

}  // namespace capsule::workflow
