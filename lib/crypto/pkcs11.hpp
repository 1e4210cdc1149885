#pragma once

// Private to this module: a PKCS#11 module (the vendor's library, loaded while the program runs) and a session with one
// token (PKCS#11 2.40). Names PKCS#11's types without its header, so that no includer sees those.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/secret.hpp"
#include "crypto/pkcs11_uri.hpp"

struct _CK_FUNCTION_LIST;  // NOLINT(bugprone-reserved-identifier): the standard's own name

namespace capsule::crypto {

/// A loaded module, started (C_Initialize) once in this process however many sessions use it, and finalized when the
/// last of them goes. It stays mapped: a vendor's library need not survive its removal.
class Pkcs11Module {
 public:
  /// Error usage where the file is no PKCS#11 module, not_found, unavailable where it cannot start.
  static std::shared_ptr<const Pkcs11Module> load(const std::string& path);
  Pkcs11Module(const Pkcs11Module&) = delete;
  Pkcs11Module& operator=(const Pkcs11Module&) = delete;
  ~Pkcs11Module();
  [[nodiscard]] const _CK_FUNCTION_LIST& functions() const noexcept { return *m_functions; }

 private:
  explicit Pkcs11Module(const std::string& path);
  _CK_FUNCTION_LIST* m_functions = nullptr;
};

/// A key object as it stands on a token.
struct TokenObject {
  enum class Kind { ec, rsa, edwards, other };
  unsigned long handle = 0;
  bool is_private = false;
  Kind kind = Kind::other;
  std::string label;
  std::string id;  ///< CKA_ID: any bytes
};

/// What an object says of its public half; empty where it does not.
struct PublicParts {
  Bytes info;  ///< DER SubjectPublicKeyInfo
  Bytes curve;
  Bytes point;
  Bytes modulus;
  Bytes exponent;
};

enum class TokenMechanism { ecdsa, rsa_pkcs1, eddsa };

/// A read-only session with the one token that a URI names. Errors of the token: denied (PIN, rights), unavailable
/// (it was removed, does not answer), usage (it cannot do this).
class TokenSession {
 public:
  /// Error usage without a module and where several tokens fit, not_found where none does.
  explicit TokenSession(const Pkcs11Uri& uri);
  TokenSession(const TokenSession&) = delete;
  TokenSession& operator=(const TokenSession&) = delete;
  ~TokenSession();

  /// The token's label, manufacturer, model and serial, as a URI that names it.
  [[nodiscard]] const Pkcs11Uri& token() const noexcept { return m_token; }
  /// Whether the user's PIN is typed on the token's own keys.
  [[nodiscard]] bool has_pin_pad() const noexcept { return m_has_pin_pad; }
  /// Tries the PIN once; without one, asks a token with a PIN pad for it. Error denied for a wrong one.
  void login(const std::optional<Secret>& pin);
  /// The key objects of one class that fit label and id of `uri`; at most 4096.
  [[nodiscard]] std::vector<TokenObject> find(Pkcs11Uri::Type type, const Pkcs11Uri& uri) const;
  [[nodiscard]] PublicParts public_parts(const TokenObject& object) const;
  /// Whether each signature of this private key wants the PIN again.
  [[nodiscard]] bool wants_pin_each_time(const TokenObject& object) const;
  /// Signs; `pin` is what such a key asks for.
  [[nodiscard]] Bytes sign(const TokenObject& key, TokenMechanism mechanism, ByteView data,
                           const std::optional<Secret>& pin) const;

 private:
  void open(const Pkcs11Uri& uri);
  [[nodiscard]] std::optional<Bytes> attribute(const TokenObject& object, unsigned long type) const;
  [[nodiscard]] TokenObject describe(unsigned long handle, Pkcs11Uri::Type type) const;
  void enter_pin(unsigned long user, const std::optional<Secret>& pin) const;

  std::shared_ptr<const Pkcs11Module> m_module;
  Pkcs11Uri m_token;
  unsigned long m_slot = 0;
  unsigned long m_session = 0;
  bool m_has_pin_pad = false;
};

}  // namespace capsule::crypto
