#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace capsule::crypto {

/// Whether a key's name is meant as a PKCS#11 URI rather than as the path of a file: a scheme knows no case (RFC 3986
/// §3.1), and what stands behind a blank is not opened, and named in an error, as a file either.
bool is_pkcs11_uri(std::string_view key) noexcept;

/// A PKCS#11 URI (RFC 7512): which token, which object on it, and where its PIN and its module are. What is not given
/// matches everything. A PIN is never part of one.
struct Pkcs11Uri {
  enum class Type { private_key, public_key };

  std::optional<std::string> token;         ///< label of the token
  std::optional<std::string> manufacturer;  ///< of the token
  std::optional<std::string> model;         ///< of the token
  std::optional<std::string> serial;        ///< of the token
  std::optional<std::uint64_t> slot_id;
  std::optional<std::string> object;  ///< label of the key
  std::optional<std::string> id;      ///< CKA_ID of the key: any bytes
  std::optional<Type> type;
  std::string pin_source;   ///< absolute path of a file with the PIN; empty: none
  std::string module_path;  ///< path of the module, with a '/'; empty: none

  /// Error usage that names the attribute for everything else: one that is given twice, is not known, or cannot be
  /// honoured (`pin-value`: arguments are readable by every user of the machine; a PIN from a command). No message
  /// holds a value.
  static Pkcs11Uri parse(std::string_view text);

  /// The canonical text without its query: which key it is, not how to get at it. Parses to the same attributes.
  [[nodiscard]] std::string text() const;
};

/// A key's name with the module that the caller names beside it: a PKCS#11 URI without `module-path` gets one, anything
/// else stays as it is (an empty `module` too). Errors as Pkcs11Uri::parse; usage for a module without a '/'.
std::string with_module(const std::string& key, std::string_view module);

}  // namespace capsule::crypto
