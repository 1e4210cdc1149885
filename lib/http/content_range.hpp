#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace capsule::http {

/// Content-Range (RFC 9110 §14.4): "bytes 5-9/10", "bytes 5-9/*", "bytes */10".
struct ContentRange {
  std::optional<std::uint64_t> first;  ///< absent: the range could not be satisfied
  std::optional<std::uint64_t> total;  ///< absent: not known
};
/// Nothing for what has no such form.
std::optional<ContentRange> parse_content_range(std::string_view text);

}  // namespace capsule::http
