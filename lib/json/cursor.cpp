#include "json/cursor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "json/pointer.hpp"

namespace capsule::json {

Cursor::Cursor(const Value& value, std::string document, ErrorKind kind)
    : m_value(&value), m_document(std::move(document)), m_kind(kind) {}

Cursor::Cursor(const Value& value, const Cursor& parent, std::string pointer)
    : m_value(&value), m_document(parent.m_document), m_pointer(std::move(pointer)), m_kind(parent.m_kind) {}

void Cursor::fail(std::string_view reason) const {
  throw Error{m_kind,
              fmt::format("{}: {} (at {})", m_document, reason, m_pointer.empty() ? "the top" : printable(m_pointer))};
}

void Cursor::wrong_type(std::string_view wanted) const {
  fail(fmt::format("{} is wanted, this is {}", wanted, m_value->type_name()));
}

std::optional<Cursor> Cursor::optional(std::string_view key) const {
  const auto* member = object().find(key);
  if (member == nullptr) return std::nullopt;
  return Cursor{*member, *this, child(m_pointer, key)};
}

Cursor Cursor::at(std::string_view key) const {
  if (auto member = optional(key)) return *std::move(member);
  fail(fmt::format("the field '{}' is missing", key));
}

void Cursor::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, value] : object()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      Cursor{value, *this, child(m_pointer, key)}.fail("unknown field");
    }
  }
}

const std::string& Cursor::string() const {
  if (const auto* text = m_value->if_string()) return *text;
  wrong_type("a string");
}

bool Cursor::boolean() const {
  if (const auto* value = m_value->if_bool()) return *value;
  wrong_type("true or false");
}

double Cursor::number() const {
  const auto* number = m_value->if_number();
  if (number == nullptr) wrong_type("a number");
  try {
    return to_double(*number);
  } catch (const Error& error) {
    fail(error.message());
  }
}

std::int64_t Cursor::int64() const {
  const auto* number = m_value->if_number();
  if (number == nullptr) wrong_type("an integer");
  try {
    return to_int64(*number);
  } catch (const Error& error) {
    fail(error.message());
  }
}

std::uint64_t Cursor::uint64() const {
  const auto* number = m_value->if_number();
  if (number == nullptr) wrong_type("an integer that is not negative");
  try {
    return to_uint64(*number);
  } catch (const Error& error) {
    fail(error.message());
  }
}

const Object& Cursor::object() const {
  if (const auto* object = m_value->if_object()) return *object;
  wrong_type("an object");
}

const Array& Cursor::array() const {
  if (const auto* array = m_value->if_array()) return *array;
  wrong_type("an array");
}

std::vector<Cursor> Cursor::elements() const {
  std::vector<Cursor> out;
  for (const auto& element : array()) out.push_back(Cursor{element, *this, child(m_pointer, out.size())});
  return out;
}

std::vector<std::pair<std::string, Cursor>> Cursor::members() const {
  std::vector<std::pair<std::string, Cursor>> out;
  for (const auto& [key, value] : object()) out.emplace_back(key, Cursor{value, *this, child(m_pointer, key)});
  return out;
}

}  // namespace capsule::json
