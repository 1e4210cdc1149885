#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace capsule::fs {

/// A path inside a capsule: relative, '/'-separated, without empty, '.' or '..' components, backslash, control
/// characters or bad UTF-8; at most 1,024 bytes, a component at most 255; no component begins with `.wh.` (an OCI
/// whiteout). Holding one means that joining it to a folder stays inside, as long as no link is followed.
class SafePath {
 public:
  static constexpr std::size_t max_bytes = 1024;
  /// Throws Error invalid_input that names the path and the rule.
  static SafePath parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return m_text; }
  friend auto operator<=>(const SafePath&, const SafePath&) = default;  ///< byte-wise

 private:
  explicit SafePath(std::string text) : m_text(std::move(text)) {}
  std::string m_text;
};

}  // namespace capsule::fs
