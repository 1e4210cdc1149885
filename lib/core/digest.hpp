#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace capsule {

/// A content digest, `sha256:<64 hex>` or `sha512:<128 hex>` (OCI image-spec, descriptor, "Digests"). Lower case only;
/// no other algorithm is ever accepted (attacks: downgrade). crypto::Hasher makes them.
class Digest {
 public:
  /// Throws Error invalid_input.
  static Digest parse(std::string_view text);
  /// From 64 lower-case hexadecimal digits.
  static Digest sha256(std::string_view hex);

  [[nodiscard]] const std::string& text() const noexcept { return m_text; }  ///< "sha256:…"
  [[nodiscard]] std::string_view algorithm() const noexcept { return std::string_view{m_text}.substr(0, 6); }
  [[nodiscard]] std::string_view hex() const noexcept { return std::string_view{m_text}.substr(7); }
  /// The first 12 hexadecimal digits, for people.
  [[nodiscard]] std::string_view brief() const noexcept { return hex().substr(0, 12); }

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  explicit Digest(std::string text) : m_text(std::move(text)) {}
  std::string m_text;
};

}  // namespace capsule
