#include "crypto/openssl.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <stdexcept>

namespace capsule::crypto {

void Free::operator()(bignum_st* number) const noexcept {
  BN_free(number);
}
void Free::operator()(bio_st* bio) const noexcept {
  BIO_free_all(bio);
}
void Free::operator()(evp_md_ctx_st* context) const noexcept {
  EVP_MD_CTX_free(context);
}
void Free::operator()(evp_md_st* method) const noexcept {
  EVP_MD_free(method);
}
void Free::operator()(evp_pkey_ctx_st* context) const noexcept {
  EVP_PKEY_CTX_free(context);
}
void Free::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}
void Free::operator()(pkcs8_priv_key_info_st* info) const noexcept {
  PKCS8_PRIV_KEY_INFO_free(info);
}
void Free::operator()(ECDSA_SIG_st* signature) const noexcept {
  ECDSA_SIG_free(signature);
}
void Free::operator()(X509_sig_st* sealed) const noexcept {
  X509_SIG_free(sealed);
}
void Free::operator()(unsigned char* bytes) const noexcept {
  OPENSSL_free(bytes);
}
void Free::operator()(char* text) const noexcept {
  OPENSSL_free(text);
}

void start_openssl() {
  [[maybe_unused]] static const bool started = [] {
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
      throw std::runtime_error{"libcrypto cannot be started"};
    }
    return true;
  }();
}

void throw_openssl(std::string_view doing) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  throw std::runtime_error{fmt::format("OpenSSL failed to {}: {}", doing, reason.data())};
}

namespace {

DigestPtr fetch(const char* name) {
  start_openssl();
  return checked(DigestPtr{EVP_MD_fetch(nullptr, name, nullptr)}, "fetch a digest");
}

}  // namespace

const EVP_MD* sha256_method() {
  static const DigestPtr method = fetch("SHA2-256");
  return method.get();
}

const EVP_MD* sha384_method() {
  static const DigestPtr method = fetch("SHA2-384");
  return method.get();
}

const EVP_MD* sha512_method() {
  static const DigestPtr method = fetch("SHA2-512");
  return method.get();
}

}  // namespace capsule::crypto
