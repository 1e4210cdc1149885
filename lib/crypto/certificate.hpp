#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/time.hpp"
#include "crypto/key.hpp"

namespace capsule::crypto {

/// An X.509 certificate (RFC 5280), as far as we look at it. What it says is not checked before chain_fault().
class Certificate {
 public:
  /// The certificates of a PEM text, the one that is meant first, at most eight. Error invalid_input naming `what` for
  /// anything else.
  static std::vector<Certificate> chain_from_pem(std::string_view pem, std::string_view what);

  /// The one commonName of the subject; empty where there is none, or more.
  [[nodiscard]] const std::string& common_name() const noexcept;
  [[nodiscard]] const std::vector<std::string>& uris() const noexcept;  ///< of the subjectAltName
  /// Whether it is for this extended key usage, an OID in dotted form; anyExtendedKeyUsage is not enough.
  [[nodiscard]] bool is_for(std::string_view usage) const;
  [[nodiscard]] bool is_self_signed() const;
  [[nodiscard]] const Digest& digest() const noexcept;      ///< SHA-256 of its DER
  [[nodiscard]] const Digest& key_digest() const noexcept;  ///< SHA-256 of its key's DER SubjectPublicKeyInfo

  struct Impl;
  explicit Certificate(std::shared_ptr<const Impl> impl) : m_impl(std::move(impl)) {}
  [[nodiscard]] const Impl& impl() const noexcept { return *m_impl; }

 private:
  std::shared_ptr<const Impl> m_impl;
};

/// From when to when a certificate is valid (RFC 5280 §4.1.2.5), both included, in seconds.
struct Validity {
  Time from;
  Time until;
};

/// That of the first certificate of a PEM text, whatever else is in it; nothing where none can be read.
std::optional<Validity> validity_of_first(std::string_view pem);

/// Why the first certificate of `chain` does not lead to one of the trusted keys; nothing where it does. It does when
/// it or one that stands above it is signed by such a key, every certificate up to there is valid at `at`, those above
/// the first are certificate authorities, and no signature or key is weaker than 112 bits (RFC 5280 §6; the trust
/// anchor is a key, §6.1.1 (d)).
std::optional<std::string> chain_fault(std::span<const Certificate> chain, std::span<const PublicKey> trusted, Time at);

}  // namespace capsule::crypto
