#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace capsule::archive {

/// The CRC of gzip (RFC 1952 §8) of what `crc` stands for (0: nothing) followed by `bytes`.
std::uint32_t crc32(std::uint32_t crc, ByteView bytes) noexcept;

}  // namespace capsule::archive
