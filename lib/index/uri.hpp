#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace capsule::index {

/// `capsule://[<registry>/<base>/]<name>:<version>[?proof=true]`, or `@sha256:…` in place of `:<version>`; version
/// `latest` is the highest by semver. One canonical form: ASCII, lower case where the grammar allows only that, no
/// percent-encoding, no userinfo, no port without a host, no repeated or unknown query.
struct CapsuleUri {
  std::string registry;  ///< `host[:port]/base` or empty: then the caller's --registry
  std::string name;
  std::string version;           ///< empty when a digest is given
  std::optional<Digest> digest;  ///< of the version index
  enum class Proof { not_asked, required };
  Proof proof = Proof::not_asked;

  /// Error usage with the reason.
  static CapsuleUri parse(std::string_view text);
  static bool looks_like(std::string_view text) noexcept { return text.starts_with("capsule:"); }
  [[nodiscard]] std::string text() const;
};

}  // namespace capsule::index
