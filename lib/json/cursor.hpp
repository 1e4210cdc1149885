#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "json/value.hpp"

namespace capsule::json {

/// A value together with where it stands, for reading documents strictly: every fault is an Error invalid_input (or the
/// given kind) that names the document and the JSON pointer. Cheap to copy; the Value must outlive it.
///
///     Cursor top{value, "capsule.json"};
///     const auto name = top.at("name").string();
///     const auto note = top.optional("description");       // std::optional<Cursor>
///     top.allow_only({"name", "description"});              // an unknown field is an error
class Cursor {
 public:
  Cursor(const Value& value, std::string document, ErrorKind kind = ErrorKind::invalid_input);

  [[nodiscard]] Cursor at(std::string_view key) const;                       ///< the member; missing is an error
  [[nodiscard]] std::optional<Cursor> optional(std::string_view key) const;  ///< the member, or nothing
  void allow_only(std::initializer_list<std::string_view> keys) const;

  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] std::int64_t int64() const;
  [[nodiscard]] std::uint64_t uint64() const;
  [[nodiscard]] std::vector<Cursor> elements() const;                         ///< of an array
  [[nodiscard]] std::vector<std::pair<std::string, Cursor>> members() const;  ///< of an object
  [[nodiscard]] const Object& object() const;
  [[nodiscard]] const Array& array() const;

  /// Holds every integer in the value against what canonical form makes of it: its numbers are doubles (RFC 8785
  /// §3.2.2.3), so that 9007199254740993 would come out as another. I-JSON (RFC 7493 §2.2) promises integers up to
  /// ±(2^53 − 1); a larger one is fine where its digits stay. Fractions are doubles for every reader.
  void require_exact_integers() const;

  [[nodiscard]] const Value& value() const noexcept { return *m_value; }
  [[nodiscard]] const std::string& pointer() const noexcept { return m_pointer; }
  /// Throws: "<document>: <reason> (at <pointer>)".
  [[noreturn]] void fail(std::string_view reason) const;

 private:
  Cursor(const Value& value, const Cursor& parent, std::string pointer);
  [[noreturn]] void wrong_type(std::string_view wanted) const;
  const Value* m_value;
  std::string m_document;
  std::string m_pointer;
  ErrorKind m_kind;
};

}  // namespace capsule::json
