#pragma once

#include <cstddef>
#include <string_view>

namespace capsule::utf8 {

/// Length in bytes (1–4) of the well-formed UTF-8 sequence that `text` begins with (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF); 0 if it begins with none.
std::size_t sequence_length(std::string_view text) noexcept;

/// Whether all of `text` is well-formed UTF-8.
bool is_valid(std::string_view text) noexcept;

/// The code point of the well-formed sequence that `text` begins with.
char32_t decode(std::string_view text) noexcept;

}  // namespace capsule::utf8
