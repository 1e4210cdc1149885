#include "workflow/substitution.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/write.hpp"
#include "workflow/size.hpp"

namespace capsule::workflow {

namespace {

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// Calls `plain` with what stands between tags, and `tag` with what stands in one.
template <typename Plain, typename Tag>
void for_each_part(std::string_view text, Plain plain, Tag tag) {
  while (true) {
    const auto open = text.find("{{");
    plain(text.substr(0, open));
    if (open == std::string_view::npos) return;
    const auto close = text.find("}}", open);
    if (close == std::string_view::npos)
      throw Error{ErrorKind::usage, fmt::format("a tag is not closed: '{}'", printable(text.substr(open)))};
    tag(trimmed(text.substr(open + 2, close - open - 2)));
    text.remove_prefix(close + 2);
  }
}

[[noreturn]] void fail_unknown(std::string_view tag) {
  throw Error{ErrorKind::usage, fmt::format("the tag {{{{{}}}}} is not known here", printable(tag))};
}

}  // namespace

std::string parameter_text(const json::Value& value) {
  const auto* text = value.if_string();
  return text != nullptr ? *text : json::compact(value);
}

std::string substitute(std::string_view text, const Lookup& lookup) {
  std::string out;
  for_each_part(
      text, [&](std::string_view plain) { out += plain; },
      [&](std::string_view tag) {
        if (tag.starts_with('=')) {
          out += parameter_text(evaluate(trimmed(tag.substr(1)), Dialect::expr, lookup));
        } else if (const auto value = lookup(tag)) {
          out += parameter_text(*value);
        } else {
          fail_unknown(tag);
        }
        if (out.size() > max_value_bytes) {
          throw Error{ErrorKind::invalid_input,
                      fmt::format("a value is larger than the limit of {}", human_size(max_value_bytes))};
        }
      });
  return out;
}

void check_tags(std::string_view text, const Lookup& lookup) {
  for_each_part(
      text, [](std::string_view) {},
      [&](std::string_view tag) {
        if (tag.starts_with('='))
          check_expression(trimmed(tag.substr(1)), Dialect::expr, lookup);
        else if (!lookup(tag))
          fail_unknown(tag);
      });
}

}  // namespace capsule::workflow
