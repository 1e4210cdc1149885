#include "core/digest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule {

namespace {

bool is_lower_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Digest Digest::parse(std::string_view text) {
  const bool sha256_form = text.starts_with("sha256:") && text.size() == 7 + 64;
  const bool sha512_form = text.starts_with("sha512:") && text.size() == 7 + 128;
  if (!(sha256_form || sha512_form) || !is_lower_hex(text.substr(7))) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("not a digest (sha256:<64 hex> or sha512:<128 hex>): '{}'", printable(text))};
  }
  return Digest{std::string{text}};
}

Digest Digest::sha256(std::string_view hex) {
  return parse(fmt::format("sha256:{}", hex));
}

}  // namespace capsule
