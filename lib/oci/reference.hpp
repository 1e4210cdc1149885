#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace capsule::oci {

/// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} (distribution-spec 1.1).
bool is_tag(std::string_view tag) noexcept;

/// Where repositories are: `oci-layout:DIR` (one OCI layout per name at DIR/<name>/), or `[oci://]HOST[:PORT]/BASE`.
class RegistryLocation {
 public:
  /// Error usage.
  static RegistryLocation parse(std::string_view text);
  [[nodiscard]] bool is_layout() const noexcept { return m_layout; }
  [[nodiscard]] const std::string& folder() const noexcept { return m_place; }  ///< of a layout
  [[nodiscard]] std::string text() const;  ///< `oci-layout:DIR` or `oci://HOST/BASE`
  friend bool operator==(const RegistryLocation&, const RegistryLocation&) = default;

 private:
  bool m_layout = true;
  std::string m_place;
};

/// `<registry>/<name>[:<tag>][@<digest>]`, e.g. `oci-layout:/srv/capsules/m2n2-metal@sha256:…`.
struct Reference {
  RegistryLocation registry;
  std::string name;
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  /// Error usage. Name and tag have the grammar of distribution-spec 1.1 (the name: one component, that of capsule
  /// names).
  static Reference parse(std::string_view text);
  /// Whether the text has a scheme of ours (`oci-layout:` or `oci://`), so that it is a reference and no file.
  static bool looks_like(std::string_view text) noexcept;
  [[nodiscard]] std::string text() const;
};

}  // namespace capsule::oci
