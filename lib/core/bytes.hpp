#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace capsule {

using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

/// The bytes of a text, not copied.
inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The text that bytes are, not copied and not checked.
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(ByteView bytes);        ///< lower case, two digits a byte
Bytes from_hex(std::string_view hex);      ///< lower case only; Error invalid_input otherwise
std::string to_base64(ByteView bytes);     ///< RFC 4648 §4, padded
Bytes from_base64(std::string_view text);  ///< strict: padded, canonical; Error invalid_input otherwise

/// "1.5 MiB": a size for people, binary units, one decimal.
std::string human_size(std::uint64_t bytes);

}  // namespace capsule
