#include "json/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/error.hpp"

namespace capsule::json {

namespace {

template <typename Integer>
Integer to_integer(const Number& number) {
  Integer value{};
  const char* end = number.text.data() + number.text.size();
  const auto [stop, error] = std::from_chars(number.text.data(), end, value);
  if (error != std::errc{} || stop != end) {
    throw Error{ErrorKind::invalid_input, fmt::format("not an integer in range: {}", printable(number.text))};
  }
  return value;
}

/// One reference token of a JSON pointer with ~1 and ~0 decoded.
std::string decode_token(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      out += token[i];
    }
  }
  return out;
}

const Value* step_into(const Value& value, const std::string& token) {
  if (const auto* object = value.if_object()) return object->find(token);
  const auto* array = value.if_array();
  if (array == nullptr) return nullptr;
  std::size_t index = 0;
  const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool canonical = !token.empty() && (token == "0" || token.front() != '0');
  if (error != std::errc{} || stop != token.data() + token.size() || !canonical || index >= array->size())
    return nullptr;
  return &(*array)[index];
}

}  // namespace

Object::Object(std::initializer_list<Member> members) {
  for (const auto& [key, value] : members) set(key, value);
}

const Value* Object::find(std::string_view key) const noexcept {
  const auto found = std::find_if(m_members.begin(), m_members.end(), [&](const Member& m) { return m.first == key; });
  return found == m_members.end() ? nullptr : &found->second;
}

Value* Object::find(std::string_view key) noexcept {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

Value& Object::set(std::string_view key, Value value) {
  if (auto* present = find(key)) return *present = std::move(value);
  return m_members.emplace_back(std::string{key}, std::move(value)).second;
}

void Object::append(std::string key, Value value) {
  m_members.emplace_back(std::move(key), std::move(value));
}

void Object::erase(std::string_view key) {
  std::erase_if(m_members, [&](const Member& member) { return member.first == key; });
}

std::size_t Object::size() const noexcept {
  return m_members.size();
}
bool Object::empty() const noexcept {
  return m_members.empty();
}

bool operator==(const Object& left, const Object& right) {
  return left.size() == right.size() && std::all_of(left.begin(), left.end(), [&](const Member& member) {
           const auto* other = right.find(member.first);
           return other != nullptr && *other == member.second;
         });
}

Value::Value(std::int64_t value) : m_value(Number{std::to_string(value)}) {}
Value::Value(std::uint64_t value) : m_value(Number{std::to_string(value)}) {}

Value::Value(double value) {
  if (!std::isfinite(value)) throw Error{ErrorKind::invalid_input, "a number that is not finite has no JSON form"};
  std::array<char, 32> buffer{};
  // A large double is no integer to the last digit, as which to_chars would write it: 1.2345678901234568e+20.
  constexpr double largest_integer = 9007199254740992;  // 2^53
  const auto end =
      std::abs(value) < largest_integer
          ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr
          : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  m_value = Number{std::string{buffer.data(), end}};
}

std::string_view Value::type_name() const noexcept {
  constexpr std::array names{"null", "a boolean", "a number", "a string", "an array", "an object"};
  return names.at(m_value.index());
}

const Value* Value::at_pointer(std::string_view pointer) const {
  const Value* at = this;
  while (!pointer.empty() && at != nullptr) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const auto token = pointer.substr(0, pointer.find('/'));
    at = step_into(*at, decode_token(token));
    pointer.remove_prefix(token.size());
  }
  return at;
}

bool operator==(const Value& left, const Value& right) {
  return left.m_value == right.m_value;
}

double to_double(const Number& number) {
  double value = 0;
  const char* end = number.text.data() + number.text.size();
  const auto [stop, error] = std::from_chars(number.text.data(), end, value);
  if (error == std::errc::result_out_of_range && std::abs(std::strtod(number.text.c_str(), nullptr)) < 1) {
    return std::strtod(number.text.c_str(), nullptr);  // underflow: the nearest double is tiny or zero
  }
  if (error != std::errc{} || stop != end || !std::isfinite(value)) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("not a number in the range of double: {}", printable(number.text))};
  }
  return value;
}

std::int64_t to_int64(const Number& number) {
  return to_integer<std::int64_t>(number);
}
std::uint64_t to_uint64(const Number& number) {
  return to_integer<std::uint64_t>(number);
}

}  // namespace capsule::json
