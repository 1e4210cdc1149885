#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/token_key.hpp"
#include "options.hpp"
#include "step/passphrase.hpp"

namespace sign {

namespace crypto = capsule::crypto;
namespace json = capsule::json;

namespace {

std::string_view type_name(const crypto::TokenKey& key) {
  return key.type ? crypto::name_of(*key.type) : "not accepted";
}

std::string id_of(const crypto::TokenKey& key) {
  return capsule::to_hex(capsule::as_bytes(key.uri.id.value_or("")));
}

json::Value report(const crypto::TokenKey& key) {
  return json::Object{{"uri", key.uri.text()},
                      {"type", std::string{type_name(key)}},
                      {"label", capsule::printable(key.uri.object.value_or(""), 1024)},
                      {"id", id_of(key)},
                      {"private", key.has_private},
                      {"public", key.has_public}};
}

std::string_view halves_of(const crypto::TokenKey& key) {
  if (!key.has_private) return "public";
  return key.has_public ? "private+public" : "private";
}

std::string line_of(const crypto::TokenKey& key) {
  return fmt::format("{}  {}  {}  label '{}'  id {}\n", key.uri.text(), type_name(key), halves_of(key),
                     capsule::printable(key.uri.object.value_or("")), id_of(key));
}

}  // namespace

void run_list_keys(const ListKeysOptions& options, capsule::step::Context& step) {
  const auto named = options.key.empty() ? std::string{"pkcs11:"} : options.key;
  if (!crypto::is_pkcs11_uri(named)) {
    throw capsule::Error{capsule::ErrorKind::usage, "list-keys: --key names a token, pkcs11:token=…"};
  }
  const auto pin = capsule::step::read_key_secret(named, "");
  const auto listed = crypto::list_token_keys(crypto::with_module(named, options.pkcs11_module), pin);
  json::Array keys;
  std::string text;
  for (const auto& key : listed.keys) {
    keys.push_back(report(key));
    text += line_of(key);
  }
  step.result("token", listed.token.text());
  step.result("logged_in", listed.logged_in);
  step.result("keys", std::move(keys));
  if (listed.keys.empty()) text += fmt::format("No key that fits on {}\n", listed.token.text());
  if (!listed.logged_in) text += "Without a PIN: only what is public is listed.\n";
  step.summary(std::move(text));
}

}  // namespace sign
