#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace capsule::http {

/// Header fields in their order; names compare without regard to case (RFC 9110 §5.1).
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields);

  /// Error usage for a name or a value that cannot stand in a header (white space or a colon in a name; a control
  /// character, CR and LF above all, in a value).
  void add(std::string_view name, std::string_view value);
  /// The value of the first field of that name, or null.
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept;
  [[nodiscard]] auto begin() const noexcept { return m_fields.begin(); }
  [[nodiscard]] auto end() const noexcept { return m_fields.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return m_fields.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> m_fields;
};

/// Whether two header names are the same but for case (ASCII).
bool same_name(std::string_view left, std::string_view right) noexcept;

}  // namespace capsule::http
