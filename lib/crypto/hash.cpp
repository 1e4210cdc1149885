#include "crypto/hash.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "crypto/openssl.hpp"

namespace capsule::crypto {

struct Hasher::State {
  HashAlgorithm algorithm;
  DigestContextPtr context;

  void begin() {
    const auto* method = algorithm == HashAlgorithm::sha256 ? sha256_method() : sha512_method();
    check(EVP_DigestInit_ex2(context.get(), method, nullptr), "begin a digest");
  }
};

Hasher::Hasher(HashAlgorithm algorithm) {
  start_openssl();
  m_state = std::make_unique<State>(State{algorithm, checked(DigestContextPtr{EVP_MD_CTX_new()}, "make a digest")});
  m_state->begin();
}

Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(ByteView bytes) {
  check(EVP_DigestUpdate(m_state->context.get(), bytes.data(), bytes.size()), "hash");
}

Digest Hasher::finish() {
  std::array<std::byte, EVP_MAX_MD_SIZE> value{};
  unsigned size = 0;
  check(EVP_DigestFinal_ex(m_state->context.get(), reinterpret_cast<unsigned char*>(value.data()), &size),
        "end a digest");
  m_state->begin();
  const std::string name = m_state->algorithm == HashAlgorithm::sha256 ? "sha256:" : "sha512:";
  return Digest::parse(name + to_hex({value.data(), size}));
}

Bytes hmac_sha256(ByteView key, ByteView message) {
  start_openssl();
  Bytes code(32);
  std::size_t size = 0;
  const auto* result = EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA2-256", nullptr, raw(key), key.size(), raw(message),
                                 message.size(), raw(code), code.size(), &size);
  if (result == nullptr || size != code.size()) throw_openssl("compute a MAC");
  return code;
}

Bytes random_bytes(std::size_t count) {
  start_openssl();
  Bytes bytes(count);
  check(RAND_bytes(raw(bytes), static_cast<int>(count)), "get random bytes");
  return bytes;
}

}  // namespace capsule::crypto
