#include "workflow/substitution.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/write.hpp"

namespace capsule::workflow {

namespace {

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string parameter_text(const json::Value& value) {
  const auto* text = value.if_string();
  return text != nullptr ? *text : json::compact(value);
}

std::string substitute(std::string_view text, const Lookup& lookup) {
  std::string out;
  while (true) {
    const auto open = text.find("{{");
    out += text.substr(0, open);
    if (open == std::string_view::npos) return out;
    const auto close = text.find("}}", open);
    if (close == std::string_view::npos)
      throw Error{ErrorKind::usage, fmt::format("a tag is not closed: '{}'", printable(text.substr(open)))};
    const auto inside = trimmed(text.substr(open + 2, close - open - 2));
    if (inside.starts_with('=')) {
      out += parameter_text(evaluate(trimmed(inside.substr(1)), Dialect::expr, lookup));
    } else if (const auto value = lookup(inside)) {
      out += parameter_text(*value);
    } else {
      throw Error{ErrorKind::usage, fmt::format("the tag {{{{{}}}}} is not known here", printable(inside))};
    }
    text.remove_prefix(close + 2);
  }
}

}  // namespace capsule::workflow
