#include "options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "keygen.hpp"
#include "log/log.hpp"
#include "step/passphrase.hpp"

namespace sign {

using capsule::Error;
using capsule::ErrorKind;
using capsule::crypto::KeyType;
namespace json = capsule::json;

namespace {

const std::map<std::string, KeyType> key_types{{"ecdsa-p256", KeyType::ecdsa_p256},
                                               {"ecdsa-p384", KeyType::ecdsa_p384},
                                               {"ed25519", KeyType::ed25519},
                                               {"rsa-3072", KeyType::rsa}};

json::Value report(const KeyFiles& key) {
  return json::Object{{"private_key", key.private_key.string()},
                      {"public_key", key.public_key.string()},
                      {"key_id", key.id},
                      {"fresh", key.is_fresh}};
}

void report_pair(const KeyFiles& key, capsule::step::Context& step) {
  const auto result = report(key);
  for (const auto& [name, value] : *result.if_object()) step.result(name, value);
  step.summary(
      fmt::format("{} key {}\n  private  {}  (keep it to yourself)\n  public   {}  (give it to those who verify)\n",
                  key.is_fresh ? "Made" : "Kept", key.id, key.private_key.string(), key.public_key.string()));
}

void report_state(const StateKeys& made, capsule::step::Context& step) {
  json::Array keys;
  std::string text;
  for (const auto& key : made.keys) {
    keys.push_back(report(key));
    text += fmt::format("{} {}\n", key.is_fresh ? "Made" : "Kept", key.private_key.string());
  }
  step.result("keys", std::move(keys));
  step.result("trust", made.trust.string());
  step.summary(text + fmt::format("Trusted by {}\n", made.trust.string()));
  for (const auto& role : made.untrusted) {
    capsule::log::warning(fmt::format("{} was there already and does not trust this machine's key of role '{}'",
                                      made.trust.string(), role));
  }
}

}  // namespace

CLI::App* define_options(CLI::App& app, Options& options) {
  auto* keygen = app.add_subcommand("keygen", "Make a key pair, or all keys that the loop needs on one machine");
  keygen->fallthrough();  // --output and --outputs, behind the subcommand too
  auto& wanted = options.keygen;
  keygen->add_option("--out", wanted.out, "Write PREFIX.pem (private) and PREFIX.pub.pem; what is there is kept")
      ->type_name("PREFIX");
  keygen
      ->add_option_function<std::string>(
          "--type", [&wanted](const std::string& name) { wanted.type = key_types.at(name); },
          "Kind of key [ecdsa-p256]")
      ->check(CLI::IsMember(key_types))
      ->type_name("TYPE");
  capsule::step::add_passphrase_option(*keygen, wanted.passphrase_file)
      ->description("File with a passphrase that encrypts the private key; else $CAPSULE_PASSPHRASE is used, if set");
  capsule::step::add_state_option(*keygen, wanted.state)
      ->description(
          "Without --out: make what is missing of the keys of the roles capsule, proof, index and log in DIR, "
          "and a trust policy for them");
  return keygen;
}

capsule::step::Manual manual() {
  return {.outputs = {}, .example = "capsule-sign keygen --out my-key", .exit_codes = {10, 12, 13, 14, 42}};
}

void run_keygen(const KeygenOptions& options, capsule::step::Context& step) {
  if (!options.out.empty()) {
    const auto passphrase = capsule::step::read_passphrase(options.passphrase_file);
    report_pair(generate_key_files(key_files_of_prefix(options.out), options.type, passphrase), step);
    return;
  }
  if (options.state.empty()) throw Error{ErrorKind::usage, "give --out PREFIX for one key pair, or --state DIR"};
  if (options.type || !options.passphrase_file.empty()) {
    throw Error{ErrorKind::usage,
                "--type and --passphrase-file are for --out; the keys of a state folder are made as the "
                "steps need them"};
  }
  report_state(generate_state_keys(options.state), step);
}

}  // namespace sign
