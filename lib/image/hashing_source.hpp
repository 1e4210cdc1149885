#pragma once

#include <optional>

#include "crypto/hash.hpp"

namespace capsule::image {

/// Passes bytes on, counts them and hashes them on the way.
class HashingSource final : public Source {
 public:
  enum class Hash { no, yes };
  explicit HashingSource(Source& next, Hash hash = Hash::yes) : m_next(next) {
    if (hash == Hash::yes) m_hasher.emplace();
  }
  std::size_t read(MutableBytes buffer) override {
    const auto count = m_next.read(buffer);
    if (m_hasher) m_hasher->update(ByteView{buffer.data(), count});
    m_count += count;
    return count;
  }
  [[nodiscard]] bool hashes() const noexcept { return m_hasher.has_value(); }
  /// Only where it hashes.
  Digest finish() { return m_hasher.value().finish(); }
  [[nodiscard]] std::uint64_t count() const noexcept { return m_count; }

 private:
  Source& m_next;
  std::optional<crypto::Hasher> m_hasher;
  std::uint64_t m_count = 0;
};

}  // namespace capsule::image
