#pragma once

#include <memory>

#include "core/digest.hpp"
#include "core/stream.hpp"

namespace capsule::crypto {

enum class HashAlgorithm { sha256, sha512 };

/// Hashes what it is given (FIPS 180-4).
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm = HashAlgorithm::sha256);
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void update(ByteView bytes);
  /// The digest of all that was given; afterwards the hasher begins anew.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

Digest sha256(ByteView bytes);
inline Digest sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

/// HMAC-SHA256 (RFC 2104): 32 bytes.
Bytes hmac_sha256(ByteView key, ByteView message);

/// Passes bytes on and hashes them on the way.
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink& next) : m_next(next) {}
  void write(ByteView bytes) override {
    m_hasher.update(bytes);
    m_next.write(bytes);
    m_count += bytes.size();
  }
  Digest finish() { return m_hasher.finish(); }
  [[nodiscard]] std::uint64_t count() const noexcept { return m_count; }

 private:
  Sink& m_next;
  Hasher m_hasher;
  std::uint64_t m_count = 0;
};

/// `count` random bytes from the system (RAND_bytes).
Bytes random_bytes(std::size_t count);

}  // namespace capsule::crypto
