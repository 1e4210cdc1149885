#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "attest/dsse.hpp"
#include "core/digest.hpp"
#include "crypto/key.hpp"

namespace capsule::attest {

inline constexpr std::string_view bundle_media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
inline constexpr std::size_t max_bundle_bytes = std::size_t{32} << 20U;

/// A signature over a file, by the file's SHA-256.
struct MessageSignature {
  Digest digest;
  Bytes signature;
};

/// A Sigstore bundle v0.3 that was made with a key (sigstore_bundle.proto, as proto JSON). Holds no key, only its hint.
struct Bundle {
  std::string hint;  ///< base64 of the SHA-256 of the key's DER SubjectPublicKeyInfo
  std::variant<MessageSignature, Envelope> content;

  [[nodiscard]] std::string text() const;  ///< one line of JSON
  /// Strict: an unknown field, another media type, a certificate for the key, snake_case names, unpadded base64 are
  /// Error invalid_input. Entries of transparency logs and timestamps of other tools may be there; nothing is believed
  /// because of them.
  static Bundle parse(std::string_view text, std::string_view what);
};

/// Signs a file: a message signature; where the key cannot sign a digest (Ed25519), a statement (predicate type
/// `signature_predicate`, empty predicate) about `digest`, whose subject is `name`.
std::string sign_file(const Digest& digest, std::string_view name, const crypto::Signer& signer);

/// A signature that holds: whose it is, and over what. Whether that is the thing at hand is the caller's to compare.
struct FileSignature {
  crypto::PublicKey key;
  std::vector<Digest>
      subjects;  ///< of a message signature one; of a statement (type `signature_predicate`) its subjects
};

/// Opens a bundle of either form. Keys in the bundle are never used, its hint only selects. Errors: invalid_input
/// (malformed), verification_failed, usage (no keys).
FileSignature open_signature(std::string_view bundle, std::span<const crypto::PublicKey> keys);

/// Checks a bundle of either form over the file with this SHA-256 and returns the one of `keys` that signed it. Errors
/// as above.
crypto::PublicKey verify_file(std::string_view bundle, std::span<const crypto::PublicKey> keys, const Digest& digest);

/// The one of `keys` that signed the bundle's envelope. Error verification_failed if none did, or if the content is no
/// envelope.
const crypto::PublicKey& verify_envelope(const Bundle& bundle, std::span<const crypto::PublicKey> keys);

}  // namespace capsule::attest
