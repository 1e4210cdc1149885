#pragma once

#include "fs/atomic_file.hpp"
#include "oci/blob_content.hpp"

namespace capsule::oci {

/// What can be read only once, kept in a file without a name (in `$TMPDIR`) so that it can be read again.
class SpooledBlob final : public Sink {
 public:
  SpooledBlob();
  void write(ByteView bytes) override;
  [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }  ///< bytes
  /// All that was written, under that digest. Must not outlive this.
  [[nodiscard]] BlobContent content(Digest digest) const;

 private:
  fs::AtomicFile m_file;  ///< never given a name
  std::uint64_t m_size = 0;
};

}  // namespace capsule::oci
