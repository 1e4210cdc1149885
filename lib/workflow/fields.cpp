#include "workflow/fields.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/time.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

using json::Cursor;

std::string scalar(const Cursor& at) {
  if (at.value().is_object() || at.value().is_array() || at.value().is_null()) at.fail("a text is wanted");
  return parameter_text(at.value());
}

std::string text_or_empty(const Cursor& at, std::string_view key) {
  const auto member = at.optional(key);
  return member ? scalar(*member) : std::string{};
}

std::vector<Cursor> elements_or_none(const Cursor& at, std::string_view key) {
  const auto member = at.optional(key);
  if (!member) return {};
  if (member->array().size() > max_elements) member->fail(fmt::format("more than {} elements", max_elements));
  return member->elements();
}

std::optional<std::chrono::milliseconds> duration_if(const Cursor& at, std::string_view key) {
  const auto member = at.optional(key);
  if (!member) return std::nullopt;
  try {
    return parse_duration(scalar(*member));
  } catch (const Error& error) {
    member->fail(error.message());
  }
}

std::string read_name(const Cursor& at) {
  const auto name = at.at("name");
  const auto& text = name.string();
  const auto is_letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  constexpr std::size_t longest = 128;
  if (text.empty() || text.size() > longest || !is_letter_or_digit(text.front()) ||
      !std::all_of(text.begin(), text.end(), [&](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; })) {
    name.fail("a name has letters, digits, '-' and '_', a letter or digit first, at most 128");
  }
  return text;
}

}  // namespace capsule::workflow
