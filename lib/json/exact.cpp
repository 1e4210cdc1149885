#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "json/cursor.hpp"
#include "json/pointer.hpp"

namespace capsule::json {

namespace {

/// An integer's digits, or a double's mantissa, without sign, point, and zeros at the end.
std::string significant(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c >= '0' && c <= '9'; });
  while (digits.ends_with('0')) digits.pop_back();
  return digits;
}

/// Whether the nearest double, in its shortest form, has the very digits of the integer.
bool is_kept(std::string_view integer) {
  if (integer.starts_with('-')) integer.remove_prefix(1);
  if (integer.size() <= 15) return true;  // a double holds every integer below 10^15
  double value = 0;
  if (std::from_chars(integer.data(), integer.data() + integer.size(), value).ec != std::errc{}) return false;
  std::array<char, 40> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  const std::string_view text{buffer.data(), static_cast<std::size_t>(end - buffer.data())};
  const auto e = text.find('e');
  return significant(text.substr(0, e)) == significant(integer) &&
         text.substr(e) == fmt::format("e+{:02}", integer.size() - 1);
}

/// The first integer that is not kept; `pointer` is then where it stands below `value`.
const Number* first_altered(const Value& value, std::string& pointer) {
  if (const auto* number = value.if_number()) {
    const bool integer = number->text.find_first_of(".eE") == std::string::npos;
    return integer && !is_kept(number->text) ? number : nullptr;
  }
  if (const auto* array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      const auto* found = first_altered((*array)[i], pointer);
      if (found != nullptr) return pointer.insert(0, child("", i)), found;
    }
  }
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      const auto* found = first_altered(member, pointer);
      if (found != nullptr) return pointer.insert(0, child("", key)), found;
    }
  }
  return nullptr;
}

}  // namespace

void Cursor::require_exact_integers() const {
  std::string below;
  const auto* found = first_altered(*m_value, below);
  if (found == nullptr) return;
  Cursor{*m_value, *this, m_pointer + below}.fail(fmt::format(
      "no double holds the integer {}, a JSON reader would change it: stay below 2^53, or write it as a string",
      printable(found->text, 64)));
}

}  // namespace capsule::json
