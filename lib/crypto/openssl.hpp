#pragma once

// Private to this module: owners of OpenSSL's handles, and what its files share. Names OpenSSL's types without its
// headers, so that no includer sees those.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "crypto/key.hpp"

struct bignum_st;
struct bio_st;
struct evp_md_ctx_st;
struct evp_md_st;
struct evp_pkey_ctx_st;
struct evp_pkey_st;
struct pkcs8_priv_key_info_st;
struct ECDSA_SIG_st;
struct X509_sig_st;

namespace capsule::crypto {

/// Frees each handle as OpenSSL wants it; bytes and text are what OPENSSL_free frees.
struct Free {
  void operator()(bignum_st* number) const noexcept;
  void operator()(bio_st* bio) const noexcept;
  void operator()(evp_md_ctx_st* context) const noexcept;
  void operator()(evp_md_st* method) const noexcept;
  void operator()(evp_pkey_ctx_st* context) const noexcept;
  void operator()(evp_pkey_st* key) const noexcept;
  void operator()(pkcs8_priv_key_info_st* info) const noexcept;
  void operator()(ECDSA_SIG_st* signature) const noexcept;
  void operator()(X509_sig_st* sealed) const noexcept;
  void operator()(unsigned char* bytes) const noexcept;
  void operator()(char* text) const noexcept;
};

using DigestPtr = std::unique_ptr<evp_md_st, Free>;
using DigestContextPtr = std::unique_ptr<evp_md_ctx_st, Free>;
using KeyPtr = std::unique_ptr<evp_pkey_st, Free>;
using KeyContextPtr = std::unique_ptr<evp_pkey_ctx_st, Free>;
using BioPtr = std::unique_ptr<bio_st, Free>;
using NumberPtr = std::unique_ptr<bignum_st, Free>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG_st, Free>;
using Pkcs8Ptr = std::unique_ptr<pkcs8_priv_key_info_st, Free>;
using EncryptedPkcs8Ptr = std::unique_ptr<X509_sig_st, Free>;
template <typename T>
using BufferPtr = std::unique_ptr<T, Free>;

/// Starts libcrypto without openssl.cnf: a configuration file could load foreign code, and costs milliseconds. Call
/// before anything else of OpenSSL; cheap from the second call on.
void start_openssl();

/// A failure that no input explains: throws std::runtime_error with OpenSSL's own reason.
[[noreturn]] void throw_openssl(std::string_view doing);

/// For functions that return 1 when they succeed.
inline void check(int result, std::string_view doing) {
  if (result != 1) throw_openssl(doing);
}

/// For functions that return a handle.
template <typename Pointer>
Pointer checked(Pointer pointer, std::string_view doing) {
  if (!pointer) throw_openssl(doing);
  return pointer;
}

const evp_md_st* sha256_method();
const evp_md_st* sha384_method();
const evp_md_st* sha512_method();

inline const unsigned char* raw(ByteView bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* raw(Bytes& bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

struct PublicKey::Impl {
  KeyType type{};
  KeyPtr key;
  Bytes spki;
  std::string id;
};

/// The type of a key, or Error usage that names `what` for one that is not accepted.
KeyType accepted_type(evp_pkey_st* key, std::string_view what);

/// DER SubjectPublicKeyInfo of a key.
Bytes spki_of(evp_pkey_st* key);

/// The bytes that ECDSA and RSA sign: the message's SHA-256.
Bytes hash_of(const Message& message);

/// Strict DER of an ECDSA signature, r and s in [1, n−1]; null for anything else.
SignaturePtr parse_ecdsa(KeyType type, ByteView signature);
/// The same signature with s ≤ n/2, in DER.
Bytes with_low_s(KeyType type, ByteView signature);

/// The DER form of r ‖ s, two numbers of the curve's size, as tokens give a signature; empty for anything else.
Bytes der_of_r_and_s(KeyType type, ByteView r_and_s);

/// DER SubjectPublicKeyInfo of an RSA key, from two big-endian numbers.
Bytes rsa_spki(ByteView modulus, ByteView exponent);

/// One block of a PEM file.
struct PemBlock {
  std::string label;
  std::string header;  ///< "Proc-Type: 4,ENCRYPTED …", or empty
  Bytes der;           ///< wiped when it goes
  PemBlock() = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock(PemBlock&&) noexcept = default;
  PemBlock& operator=(const PemBlock&) = delete;
  PemBlock& operator=(PemBlock&&) noexcept = default;
  ~PemBlock();
};
/// All blocks of a PEM text, at most eight; Error usage naming `what` where one is malformed.
std::vector<PemBlock> read_pem(ByteView text, std::string_view what);

/// The private key in a PEM text.
KeyPtr read_private_key(ByteView pem, const std::optional<Secret>& passphrase, std::string_view what);

}  // namespace capsule::crypto
