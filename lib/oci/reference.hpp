#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "oci/access.hpp"

namespace capsule::oci {

/// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} (distribution-spec 1.1).
bool is_tag(std::string_view tag) noexcept;

/// The name of a repository: path components of distribution-spec 1.1, at most 255 bytes.
bool is_repository(std::string_view name) noexcept;

/// HOST[:PORT][/BASE]: a host name or IPv4 address that is lower case, or an IPv6 address in
/// brackets (RFC 5952, no zone id), a port, path components of
/// distribution-spec 1.1. One spelling, so that the same place is never two.
bool is_registry_place(std::string_view text) noexcept;

/// Where repositories are: `oci-layout:DIR` (one OCI layout per name at DIR/<name>/), or `[oci://]HOST[:PORT][/BASE]`,
/// a registry over HTTP, with how it may be reached.
class RegistryLocation {
 public:
  /// Error usage. Without `access` a registry is reached by the defaults of Access.
  static RegistryLocation parse(std::string_view text, std::shared_ptr<const Access> access = {});
  [[nodiscard]] bool is_layout() const noexcept { return m_layout; }
  [[nodiscard]] const std::string& folder() const noexcept { return m_place; }  ///< of a layout
  [[nodiscard]] std::string host() const;                                       ///< HOST[:PORT] of a registry
  /// BASE/name, or name where there is no base: the repository of a capsule in a registry.
  [[nodiscard]] std::string repository(std::string_view name) const;
  [[nodiscard]] const Access& access() const noexcept;
  [[nodiscard]] const std::shared_ptr<const Access>& shared_access() const noexcept { return m_access; }
  [[nodiscard]] std::string text() const;  ///< `oci-layout:DIR` or `oci://HOST/BASE`
  /// The same place, however it is reached.
  friend bool operator==(const RegistryLocation& a, const RegistryLocation& b) {
    return a.m_layout == b.m_layout && a.m_place == b.m_place;
  }

 private:
  bool m_layout = true;
  std::string m_place;
  std::shared_ptr<const Access> m_access;
};

/// `<registry>/<name>[:<tag>][@<digest>]`, e.g. `oci-layout:/srv/capsules/m2n2-metal@sha256:…`.
struct Reference {
  RegistryLocation registry;
  std::string name;
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  /// Error usage. Name and tag have the grammar of distribution-spec 1.1 (the name: one component, that of capsule
  /// names).
  static Reference parse(std::string_view text, std::shared_ptr<const Access> access = {});
  /// Whether the text has a scheme of ours (`oci-layout:` or `oci://`), so that it is a reference and no file.
  static bool looks_like(std::string_view text) noexcept;
  [[nodiscard]] std::string text() const;
};

}  // namespace capsule::oci
