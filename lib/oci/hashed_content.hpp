#pragma once

#include "crypto/hash.hpp"
#include "oci/blob_content.hpp"

namespace capsule::oci {

/// A blob that is read in parts, some of them twice, and hashed once, unless that is left to the registry. Bytes that
/// are no part of what is read (a former process sent them) are read for their hash alone.
class HashedContent {
 public:
  explicit HashedContent(const BlobContent& content);

  [[nodiscard]] const Digest& digest() const noexcept { return m_content.digest; }
  /// `size` bytes from `from` on; only the newest source may be read, and not longer than this lives. Reading throws
  /// Error verification_failed where the content is too short, and in place of the blob's last bytes where its digest
  /// is another.
  std::unique_ptr<Source> open(std::uint64_t from, std::uint64_t size);
  /// Error verification_failed where the content has another digest; reads what nobody has read yet.
  void check_whole();

 private:
  class Part;
  void go_to(std::uint64_t offset);
  void hash_until(std::uint64_t end);
  void take(std::uint64_t at, ByteView bytes);
  [[noreturn]] void fail(std::string_view what) const;

  const BlobContent& m_content;
  std::unique_ptr<Source> m_source;  ///< stays open, so that parts one after the other are one read
  std::uint64_t m_at = 0;            ///< where it stands
  crypto::Hasher m_hasher;
  std::uint64_t m_hashed = 0;  ///< bytes from the beginning
};

}  // namespace capsule::oci
