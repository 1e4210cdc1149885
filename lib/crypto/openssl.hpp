#pragma once

// Private to this module: the only header that names OpenSSL's types.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "crypto/key.hpp"

namespace capsule::crypto {

template <auto function>
struct Free {
  template <typename T>
  void operator()(T* handle) const noexcept {
    function(handle);
  }
};

/// For what OPENSSL_free, a macro, frees.
struct FreeBuffer {
  void operator()(void* memory) const noexcept { OPENSSL_free(memory); }
};

using DigestPtr = std::unique_ptr<EVP_MD, Free<EVP_MD_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using NumberPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8Ptr = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;
template <typename T>
using BufferPtr = std::unique_ptr<T, FreeBuffer>;

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

const EVP_MD* sha256_method();
const EVP_MD* sha384_method();
const EVP_MD* sha512_method();

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
KeyType accepted_type(EVP_PKEY* key, std::string_view what);

/// DER SubjectPublicKeyInfo of a key.
Bytes spki_of(EVP_PKEY* key);

/// The bytes that ECDSA and RSA sign: the message's hash by the key's type. Empty where the message is a digest that
/// this type of key cannot sign.
Bytes hash_for(KeyType type, const Message& message);
const EVP_MD* method_for(KeyType type);

/// Strict DER of an ECDSA signature, r and s in [1, n−1]; null for anything else.
SignaturePtr parse_ecdsa(KeyType type, ByteView signature);
/// The same signature with s ≤ n/2, in DER.
Bytes with_low_s(KeyType type, ByteView signature);

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
