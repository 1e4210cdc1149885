#include "core/error.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/utf8.hpp"

namespace capsule {

int exit_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::invalid_input:
      return 10;
    case ErrorKind::verification_failed:
      return 11;
    case ErrorKind::not_found:
      return 12;
    case ErrorKind::denied:
      return 13;
    case ErrorKind::conflict:
      return 14;
    case ErrorKind::unmet_requirement:
      return 15;
    case ErrorKind::capsule_failed:
      return 16;
    case ErrorKind::unavailable:
      return 40;
    case ErrorKind::timed_out:
      return 41;
    case ErrorKind::busy:
      return 42;
  }
  return 1;
}

std::string_view name_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::invalid_input:
      return "invalid_input";
    case ErrorKind::verification_failed:
      return "verification_failed";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::unmet_requirement:
      return "unmet_requirement";
    case ErrorKind::capsule_failed:
      return "capsule_failed";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::timed_out:
      return "timed_out";
    case ErrorKind::busy:
      return "busy";
  }
  return "bug";
}

bool retry_helps(ErrorKind kind) noexcept {
  return exit_code(kind) >= 40;
}

Error::Error(ErrorKind kind, std::string message) : m_kind(kind), m_message(std::move(message)) {}

Error Error::within(std::string_view where) const {
  return {m_kind, fmt::format("{}: {}", where, m_message)};
}

namespace {

/// C1 controls (U+009B begins an escape sequence) and marks that turn the direction of the text around.
bool steers_a_terminal(char32_t code) noexcept {
  return (code >= 0x80 && code < 0xa0) || code == 0x061c || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (out.size() >= limit) return out + "…";
    const auto length = utf8::sequence_length(text.substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length > 1 && steers_a_terminal(utf8::decode(text.substr(at)))) {
      for (std::size_t i = 0; i < length; ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + i]));
      at += length;
    } else if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
      ++at;
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  return out;
}

}  // namespace capsule
