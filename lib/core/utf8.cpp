#include "core/utf8.hpp"

namespace capsule::utf8 {

namespace {

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
  return static_cast<unsigned char>(text[index]);
}

bool continues(std::string_view text, std::size_t count) noexcept {
  if (text.size() < count) return false;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte_at(text, i) & 0xc0U) != 0x80U) return false;
  }
  return true;
}

}  // namespace

std::size_t sequence_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return continues(text, 2) ? 2 : 0;
  if (first < 0xf0) {
    if (!continues(text, 3)) return 0;
    const unsigned second = byte_at(text, 1);
    if (first == 0xe0 && second < 0xa0) return 0;
    if (first == 0xed && second > 0x9f) return 0;
    return 3;
  }
  if (first > 0xf4 || !continues(text, 4)) return 0;
  const unsigned second = byte_at(text, 1);
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return 4;
}

bool is_valid(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

char32_t decode(std::string_view text) noexcept {
  const auto length = sequence_length(text);
  if (length == 0) return 0xfffd;
  if (length == 1) return byte_at(text, 0);
  char32_t code = byte_at(text, 0) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6U) | (byte_at(text, i) & 0x3fU);
  return code;
}

}  // namespace capsule::utf8
