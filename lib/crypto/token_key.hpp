#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/secret.hpp"
#include "crypto/key.hpp"
#include "crypto/pkcs11_uri.hpp"

namespace capsule::crypto {

/// Signs with a private key that stays on a PKCS#11 token. `uri` names one key of one token (Error not_found, or usage
/// where several fit: their ids are named) and the module. The PIN is that of the URI's pin-source, else `pin`; it is
/// tried once (Error denied), and kept afterwards only for a key that asks for it at each signature. Each signature is
/// verified with the token's public key before it is returned: Error verification_failed. A token that goes away in the
/// middle is Error unavailable.
std::unique_ptr<Signer> open_token_signer(const std::string& uri, const std::optional<Secret>& pin);

/// A public key on a token. The PIN of the URI's pin-source is tried, once, only where the key is not public there.
PublicKey read_token_key(const std::string& uri);

/// One key of a token: its private half, its public half, or both.
struct TokenKey {
  Pkcs11Uri uri;                ///< names this key alone, with its token; no module, no PIN
  std::optional<KeyType> type;  ///< nothing: a key that is not accepted, or whose public half cannot be read
  bool has_private = false;
  bool has_public = false;
};

struct TokenKeys {
  Pkcs11Uri token;
  bool logged_in = false;  ///< false: only what is public is listed
  std::vector<TokenKey> keys;
};

/// The keys of the token that a URI names which fit the rest of it. Without a PIN: those that are public.
TokenKeys list_token_keys(const std::string& uri, const std::optional<Secret>& pin);

}  // namespace capsule::crypto
