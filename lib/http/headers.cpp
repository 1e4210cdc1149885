#include "http/headers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::http {

namespace {

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// RFC 9110 §5.6.2.
bool is_token(std::string_view text) noexcept {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

}  // namespace

Headers::Headers(std::initializer_list<std::pair<std::string, std::string>> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name)) throw Error{ErrorKind::usage, fmt::format("no header can be named '{}'", printable(name))};
  // The value may be secret: it is not shown.
  if (!is_field_value(value))
    throw Error{ErrorKind::usage, fmt::format("the value of the header {} has a control character", name)};
  m_fields.emplace_back(name, value);
}

const std::string* Headers::find(std::string_view name) const noexcept {
  for (const auto& field : m_fields) {
    if (same_name(field.first, name)) return &field.second;
  }
  return nullptr;
}

bool same_name(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace capsule::http
