#pragma once

#include "core/digest.hpp"
#include "crypto/hash.hpp"

namespace capsule::oci {

/// Passes on what `digest` and `size` promise: too many bytes, too few, or another content is Error verification_failed
/// before the last byte is given out, so that nobody takes a wrong blob for a whole one, not even who knows the size.
class CheckedSource final : public Source {
 public:
  /// `content` must outlive it.
  CheckedSource(Source& content, Digest digest, std::uint64_t size);
  std::size_t read(MutableBytes buffer) override;

 private:
  [[noreturn]] void fail(std::string_view what) const;
  void check_end();
  Source& m_content;
  Digest m_digest;
  std::uint64_t m_size;
  std::uint64_t m_count = 0;
  bool m_at_end = false;
  crypto::Hasher m_hasher;
};

}  // namespace capsule::oci
