#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/digest.hpp"
#include "core/secret.hpp"

namespace capsule::crypto {

enum class KeyType { ecdsa_p256, ecdsa_p384, rsa, ed25519 };
std::string_view name_of(KeyType type) noexcept;  ///< "ecdsa-p256", "ecdsa-p384", "rsa", "ed25519"

/// What a signature is over: bytes in memory, or the SHA-256 of bytes that went by already (a package of gigabytes).
/// Ed25519 cannot sign and verify the latter. Does not own the bytes.
class Message {
 public:
  Message(ByteView bytes) : m_bytes(bytes) {}
  Message(const Bytes& bytes) : m_bytes(bytes) {}
  explicit Message(Digest sha256) : m_sha256(std::move(sha256)) {}
  [[nodiscard]] ByteView bytes() const noexcept { return m_bytes; }
  [[nodiscard]] const std::optional<Digest>& sha256() const noexcept { return m_sha256; }

 private:
  ByteView m_bytes;
  std::optional<Digest> m_sha256;
};

/// Whether keys of this type sign a SHA-256 (Message).
bool signs_digests(KeyType type) noexcept;

/// A public key. Signatures: ECDSA with SHA-256 in DER, RSA PKCS#1 v1.5 with SHA-256 (at least 2048 bits), Ed25519 (RFC
/// 8032). Of a P-384 key SHA-384, which other tools use with it, is accepted too.
class PublicKey {
 public:
  /// From a PEM SubjectPublicKeyInfo ("BEGIN PUBLIC KEY"). Error usage naming `what` for anything else: another type, a
  /// curve or size that is not accepted, a private key.
  static PublicKey from_pem(std::string_view pem, std::string_view what);
  /// The same from a file of at most 64 KiB. Error not_found, denied, usage.
  static PublicKey from_file(const std::string& path);
  /// From a DER SubjectPublicKeyInfo.
  static PublicKey from_der(ByteView spki, std::string_view what);

  [[nodiscard]] KeyType type() const noexcept;
  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] Bytes spki() const;  ///< DER SubjectPublicKeyInfo
  /// Base64 of the SHA-256 of the DER SPKI: Sigstore's publicKey.hint, and our key id.
  [[nodiscard]] const std::string& id() const noexcept;

  /// Whether `signature` is this key's over `message`. False (never an error) for malformed signatures: DER that is not
  /// minimal or has trailing bytes, r or s outside of [1, n−1]. A high s is accepted.
  [[nodiscard]] bool verify(const Message& message, ByteView signature) const;

  struct Impl;
  explicit PublicKey(std::shared_ptr<const Impl> impl);
  [[nodiscard]] const Impl& impl() const noexcept { return *m_impl; }

 private:
  std::shared_ptr<const Impl> m_impl;
};

/// Signs; the key may be a file or a token. Two functions, so that PKCS#11 fits behind them.
class Signer {
 public:
  Signer() = default;
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  virtual ~Signer() = default;
  [[nodiscard]] virtual PublicKey public_key() const = 0;
  /// A signature as PublicKey::verify accepts it; ECDSA with a low s. It is verified before it is returned.
  [[nodiscard]] virtual Bytes sign(const Message& message) const = 0;
};

/// Opens what --key names: a PEM private key file (PKCS#8, encrypted PKCS#8, SEC1, PKCS#1) or a key on a token
/// (token_key.hpp). `secret` is the passphrase of an encrypted file, or the token's PIN where the URI names no file
/// with it; a wrong one is tried once: Error denied. A missing one is Error usage that says how to give it.
std::unique_ptr<Signer> open_signer(const std::string& key, const std::optional<Secret>& secret);

/// The public key that --key names: a PEM file (PublicKey::from_file) or one on a token, for which no PIN is needed
/// where it is public there.
PublicKey read_public_key(const std::string& key);

struct KeyPair {
  Secret private_pem;  ///< PKCS#8
  std::string public_pem;
};
/// A fresh key pair; RSA has 3072 bits. With a passphrase the private half is encrypted (PBES2: AES-256-CBC, PBKDF2
/// with HMAC-SHA256).
KeyPair generate_key(KeyType type, const std::optional<Secret>& passphrase = {});

}  // namespace capsule::crypto
