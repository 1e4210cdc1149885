#include "attest/vkey.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::attest {

namespace {

constexpr std::string_view ed25519_spki_prefix = "302a300506032b6570032100";
constexpr std::byte ed25519_algorithm{1};

bool is_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != '+'; });
}

}  // namespace

LogKey parse_vkey(std::string_view text, std::string_view what) {
  const auto refuse = [&](std::string_view reason) {
    return Error{ErrorKind::usage, fmt::format("{}: not a log's key (<name>+<8 hex>+<base64>): {}", what, reason)};
  };
  const auto first = text.find('+');
  const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) throw refuse("two '+' are wanted");
  const auto name = text.substr(0, first);
  const auto hash = text.substr(first + 1, second - first - 1);
  if (!is_name(name)) throw refuse("its name has characters other than printable ASCII");
  Bytes value;
  try {
    value = from_base64(text.substr(second + 1));
  } catch (const Error& error) {
    throw refuse(error.message());
  }
  if (value.size() != 33 || value.front() != ed25519_algorithm) throw refuse("an Ed25519 key is wanted");
  // Signed-note's key hash: the first four bytes of SHA-256 over name, newline, algorithm and key.
  const auto full = crypto::sha256(fmt::format("{}\n{}", name, as_text(value)));
  if (full.hex().substr(0, 8) != hash) throw refuse("its hash does not fit its key and name");
  auto spki = from_hex(ed25519_spki_prefix);
  spki.insert(spki.end(), value.begin() + 1, value.end());
  return {std::string{name}, crypto::PublicKey::from_der(spki, what)};
}

}  // namespace capsule::attest
