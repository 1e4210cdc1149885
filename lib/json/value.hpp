#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace capsule::json {

class Value;

/// A JSON number as it was written: its text is kept, so that nothing is lost on the way through.
struct Number {
  std::string text;
  friend bool operator==(const Number&, const Number&) = default;
};

using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;

/// Members in the order in which they were written; keys are unique.
class Object {
 public:
  Object() = default;
  Object(std::initializer_list<Member> members);

  [[nodiscard]] const Value* find(std::string_view key) const noexcept;
  [[nodiscard]] Value* find(std::string_view key) noexcept;
  /// Sets or replaces.
  Value& set(std::string_view key, Value value);
  /// The same in constant time, for a key that is known not to be there.
  void append(std::string key, Value value);
  void erase(std::string_view key);
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] auto begin() const noexcept { return m_members.begin(); }
  [[nodiscard]] auto end() const noexcept { return m_members.end(); }
  friend bool operator==(const Object&, const Object&);

 private:
  friend class Value;
  std::vector<Member> m_members;
};

/// One JSON value (RFC 8259).
class Value {
 public:
  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool value) : m_value(value) {}
  Value(std::int64_t value);
  Value(std::uint64_t value);
  Value(int value) : Value(static_cast<std::int64_t>(value)) {}
  Value(unsigned value) : Value(static_cast<std::uint64_t>(value)) {}
  /// Shortest text that reads back as the same double (std::to_chars). Error invalid_input if not finite.
  Value(double value);
  Value(Number number) : m_value(std::move(number)) {}
  Value(std::string text) : m_value(std::move(text)) {}
  Value(std::string_view text) : m_value(std::string{text}) {}
  Value(const char* text) : m_value(std::string{text}) {}
  Value(Array array) : m_value(std::move(array)) {}
  Value(Object object) : m_value(std::move(object)) {}

  [[nodiscard]] bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(m_value); }
  [[nodiscard]] bool is_bool() const noexcept { return std::holds_alternative<bool>(m_value); }
  [[nodiscard]] bool is_number() const noexcept { return std::holds_alternative<Number>(m_value); }
  [[nodiscard]] bool is_string() const noexcept { return std::holds_alternative<std::string>(m_value); }
  [[nodiscard]] bool is_array() const noexcept { return std::holds_alternative<Array>(m_value); }
  [[nodiscard]] bool is_object() const noexcept { return std::holds_alternative<Object>(m_value); }
  [[nodiscard]] std::string_view type_name() const noexcept;

  /// Null unless the value is of that type.
  [[nodiscard]] const bool* if_bool() const noexcept { return std::get_if<bool>(&m_value); }
  [[nodiscard]] const Number* if_number() const noexcept { return std::get_if<Number>(&m_value); }
  [[nodiscard]] const std::string* if_string() const noexcept { return std::get_if<std::string>(&m_value); }
  [[nodiscard]] const Array* if_array() const noexcept { return std::get_if<Array>(&m_value); }
  [[nodiscard]] const Object* if_object() const noexcept { return std::get_if<Object>(&m_value); }
  [[nodiscard]] Array* if_array() noexcept { return std::get_if<Array>(&m_value); }
  [[nodiscard]] Object* if_object() noexcept { return std::get_if<Object>(&m_value); }

  /// What a JSON pointer (RFC 6901) names, or null where there is nothing.
  [[nodiscard]] const Value* at_pointer(std::string_view pointer) const;

  /// Same structure, numbers by their text; the order of members does not count.
  friend bool operator==(const Value&, const Value&);

 private:
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> m_value;
};

/// The number as a double (nearest). Error invalid_input beyond the range of double.
double to_double(const Number& number);
/// The number as an integer, if it is written as one and fits; Error invalid_input otherwise.
std::int64_t to_int64(const Number& number);
std::uint64_t to_uint64(const Number& number);

}  // namespace capsule::json
