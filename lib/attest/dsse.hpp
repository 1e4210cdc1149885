#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/key.hpp"
#include "json/cursor.hpp"
#include "json/value.hpp"

namespace capsule::attest {

/// A DSSE envelope (DSSE v1.0.2) with its one signature, as a Sigstore bundle holds it.
struct Envelope {
  std::string payload_type;
  std::string payload;  ///< the bytes, not yet believed
  Bytes signature;
};

/// PAE, what a DSSE signature is over: "DSSEv1", then length and bytes of the type and of the payload.
std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload);

Envelope sign_envelope(std::string payload_type, std::string payload, const crypto::Signer& signer);
/// Whether the signature is `key`'s.
bool verify_envelope(const Envelope& envelope, const crypto::PublicKey& key);

json::Value to_json(const Envelope& envelope);
/// Strict: exactly payload, payloadType and one signature {sig, keyid?}; standard padded base64.
Envelope read_envelope(const json::Cursor& document);
/// The same from a text of its own. Error invalid_input.
Envelope parse_envelope(std::string_view text, std::string_view what);

/// Base64 in a JSON document.
Bytes read_base64(const json::Cursor& text);

}  // namespace capsule::attest
