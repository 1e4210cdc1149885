#include "crypto/openssl.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <array>
#include <stdexcept>

namespace capsule::crypto {

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
