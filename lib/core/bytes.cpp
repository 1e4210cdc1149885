#include "core/bytes.hpp"

#include <fmt/format.h>

#include <array>

#include "core/error.hpp"

namespace capsule {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t value_in(std::string_view digits, char digit, std::string_view what) {
  const auto at = digits.find(digit);
  if (at == std::string_view::npos) {
    throw Error{ErrorKind::invalid_input, fmt::format("not {}: {}", what, printable(std::string{digit}))};
  }
  return static_cast<std::uint32_t>(at);
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    out += hex_digits[value >> 4U];
    out += hex_digits[value & 15U];
  }
  return out;
}

Bytes from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw Error{ErrorKind::invalid_input, "a hexadecimal text of odd length"};
  Bytes out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const auto high = value_in(hex_digits, hex[i], "a lower-case hexadecimal digit");
    const auto low = value_in(hex_digits, hex[i + 1], "a lower-case hexadecimal digit");
    out.push_back(static_cast<std::byte>(high << 4U | low));
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (k < have ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? base64_digits[group >> (18U - 6U * k) & 63U] : '=';
  }
  return out;
}

Bytes from_base64(std::string_view text) {
  if (text.size() % 4 != 0) throw Error{ErrorKind::invalid_input, "a base64 text whose length is no multiple of 4"};
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const auto group_text = text.substr(i, 4);
    const bool last = i + 4 == text.size();
    const std::size_t padding = last && group_text[3] == '=' ? (group_text[2] == '=' ? 2U : 1U) : 0U;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      group = group << 6U | (k < 4 - padding ? value_in(base64_digits, group_text[k], "a base64 digit") : 0U);
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) out.push_back(static_cast<std::byte>(group >> (16U - 8U * k) & 255U));
    const std::uint32_t unused = padding == 2 ? 0xffffU : padding == 1 ? 0xffU : 0U;
    if ((group & unused) != 0) throw Error{ErrorKind::invalid_input, "a base64 text with stray bits at its end"};
  }
  return out;
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units.at(unit));
}

}  // namespace capsule
