// The older interface, whose code is SHA-256's alone: EVP brings all of OpenSSL's algorithms, and capsule-agent, which
// is static, would be twice as large.
#include <openssl/sha.h>

#include <array>

#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::crypto {

Digest sha256(ByteView bytes) {
  SHA256_CTX context;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> value{};
  const bool good = SHA256_Init(&context) == 1 && SHA256_Update(&context, bytes.data(), bytes.size()) == 1 &&
                    SHA256_Final(value.data(), &context) == 1;
  if (!good) throw Error{ErrorKind::unavailable, "OpenSSL cannot compute a digest"};
  return Digest::parse("sha256:" + to_hex(std::as_bytes(std::span{value})));
}

}  // namespace capsule::crypto
