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

namespace {

constexpr std::size_t longest_name = 128;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool has_name_characters(std::string_view text) {
  return !text.empty() && text.size() <= longest_name &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

}  // namespace

std::string read_parameter_name(const Cursor& at) {
  const auto name = at.at("name");
  if (!has_name_characters(name.string()))
    name.fail("a parameter's name has letters, digits, '-' and '_', at most 128");
  return name.string();
}

std::string read_name(const Cursor& at) {
  const auto name = at.at("name");
  const auto& text = name.string();
  if (!has_name_characters(text) || !is_letter_or_digit(text.front()))
    name.fail("a name has letters, digits, '-' and '_', a letter or digit first, at most 128");
  return text;
}

}  // namespace capsule::workflow
