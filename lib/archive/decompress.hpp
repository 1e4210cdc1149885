#pragma once

#include <cstdint>
#include <memory>

#include "core/stream.hpp"

namespace capsule::archive {

enum class Compression { none, gzip, zstd, xz };

/// By the first bytes (six are enough). Error invalid_input for a compression that is known and not accepted (bzip2).
Compression detect_compression(ByteView front);

struct DecompressLimits {
  std::uint64_t bytes = std::uint64_t{64} << 30U;      ///< decompressed, at most
  std::uint64_t free_bytes = std::uint64_t{1} << 30U;  ///< up to here any ratio is fine
  std::uint64_t ratio = 250;                           ///< beyond: decompressed to compressed, at most
};

/// What a stream in one of the forms in which images come holds: gzip (RFC 1952; several members, each with its CRC
/// and length checked, nothing behind them), zstd, xz, or plain bytes. Error invalid_input for a broken or cut stream
/// and for a bomb.
class Decompressed final : public Source {
 public:
  /// `compressed` must outlive it.
  explicit Decompressed(Source& compressed, const DecompressLimits& limits = {});
  Decompressed(const Decompressed&) = delete;
  Decompressed& operator=(const Decompressed&) = delete;
  ~Decompressed() override;
  std::size_t read(MutableBytes buffer) override;
  [[nodiscard]] Compression compression() const noexcept { return m_compression; }

 private:
  class Counted;
  void check_limits() const;
  DecompressLimits m_limits;
  std::unique_ptr<Counted> m_input;
  Compression m_compression;
  std::unique_ptr<Source> m_decoder;
  std::uint64_t m_out = 0;
};

}  // namespace capsule::archive
