#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace capsule::archive {

/// Little-endian integers at the front of bytes, which must be long enough.
inline std::uint64_t load_le(ByteView bytes, std::size_t count) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}
inline std::uint16_t load_le16(ByteView bytes) noexcept {
  return static_cast<std::uint16_t>(load_le(bytes, 2));
}
inline std::uint32_t load_le32(ByteView bytes) noexcept {
  return static_cast<std::uint32_t>(load_le(bytes, 4));
}
inline std::uint64_t load_le64(ByteView bytes) noexcept {
  return load_le(bytes, 8);
}

inline void store_le(MutableBytes place, std::uint64_t value, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) place[i] = static_cast<std::byte>(value >> (8U * i));
}
inline void store_le16(MutableBytes place, std::uint16_t value) noexcept {
  store_le(place, value, 2);
}
inline void store_le32(MutableBytes place, std::uint32_t value) noexcept {
  store_le(place, value, 4);
}
inline void store_le64(MutableBytes place, std::uint64_t value) noexcept {
  store_le(place, value, 8);
}

}  // namespace capsule::archive
