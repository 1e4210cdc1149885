#include "utid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace proof_service {

using namespace capsule;

namespace {

constexpr std::string_view prefix = "UTID:REAL:";
constexpr std::size_t nonce_digits = 32;
constexpr std::size_t context_digits = 12;
constexpr std::size_t signature_digits = 16;

std::string context_digest(const std::map<std::string, std::string>& context) {
  if (context.empty()) return "none";
  std::string text;
  for (const auto& [key, value] : context) text += fmt::format("{}{}={}", text.empty() ? "" : "|", key, value);
  return std::string{crypto::sha256(text).hex().substr(0, context_digits)};
}

std::string signature_of(const Secret& key, std::string_view payload) {
  return to_hex(crypto::hmac_sha256(as_bytes(key.reveal()), as_bytes(payload))).substr(0, signature_digits);
}

/// The UTID of a payload's variables; the token that the platform can add to the payload is always empty here.
std::string assemble(const UtidSecrets& secrets, std::string_view nonce, std::string_view issued_at,
                     std::string_view context) {
  const auto payload = fmt::format("{}:{}:{}:{}:", nonce, issued_at, context, secrets.host_id);
  return fmt::format("{}{}:{}:{}:{}:{}", prefix, nonce, issued_at, context, signature_of(secrets.signing, payload),
                     signature_of(secrets.attestation, payload));
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto colon = text.find(':');
    parts.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return parts;
    text.remove_prefix(colon + 1);
  }
}

const char* variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr && *value != '\0' ? value : nullptr;
}

void make_secrets_file(const fs::Path& file) {
  const auto text = json::pretty(json::Object{{"utid_secret", to_hex(crypto::random_bytes(32))},
                                              {"attestation_key", to_hex(crypto::random_bytes(32))},
                                              {"host_id", to_hex(crypto::random_bytes(context_digits / 2))}});
  fs::AtomicFile target{file, 0600};
  target.write(as_bytes(text));
  try {
    target.commit(fs::AtomicFile::Overwrite::no);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;  // another process was first: its secrets count
  }
}

}  // namespace

std::string make_utid(const UtidSecrets& secrets, const UtidParts& parts) {
  return assemble(secrets, parts.nonce, fmt::format("{}", parts.issued_at_ms), context_digest(parts.context));
}

bool is_own_utid(const UtidSecrets& secrets, std::string_view text) {
  const auto parts = split(text);
  if (parts.size() != 7 || !text.starts_with(prefix) || !is_hex(parts[2], nonce_digits)) return false;
  const bool plain_time = !parts[3].empty() && parts[3].size() <= 15 &&
                          std::all_of(parts[3].begin(), parts[3].end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain_time || (parts[4] != "none" && !is_hex(parts[4], context_digits))) return false;
  return same_secret(text, assemble(secrets, parts[2], parts[3], parts[4]));
}

UtidParts fresh_utid(std::map<std::string, std::string> context) {
  return {to_hex(crypto::random_bytes(nonce_digits / 2)), now().time_since_epoch().count(), std::move(context)};
}

UtidSecrets load_utid_secrets(const fs::Path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) make_secrets_file(file);
  const auto value = as_usage("", [&] { return json::parse(fs::read_file(file, 4096), file.string()); });
  const json::Cursor top{value, file.string(), ErrorKind::usage};
  UtidSecrets secrets{Secret{top.at("utid_secret").string()}, Secret{top.at("attestation_key").string()},
                      top.at("host_id").string()};
  if (const char* signing = variable("UTID_SECRET")) secrets.signing = Secret{signing};
  if (const char* attestation = variable("UTID_ATTESTATION_KEY")) secrets.attestation = Secret{attestation};
  if (const char* host = variable("UTID_HOST_ID")) secrets.host_id = host;
  if (!is_hex(secrets.host_id, context_digits))
    throw Error{ErrorKind::usage, fmt::format("a host id has {} lower-case hexadecimal digits", context_digits)};
  return secrets;
}

bool same_secret(std::string_view left, std::string_view right) noexcept {
  unsigned difference = left.size() == right.size() ? 0 : 1;
  for (std::size_t at = 0; at < std::min(left.size(), right.size()); ++at)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(left[at]) ^ static_cast<unsigned char>(right[at]));
  return difference == 0;
}

}  // namespace proof_service
