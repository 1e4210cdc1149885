#include "options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "keygen.hpp"
#include "log/log.hpp"
#include "sign_package.hpp"
#include "step/passphrase.hpp"

namespace sign {

using capsule::Error;
using capsule::ErrorKind;
using capsule::crypto::KeyType;
namespace json = capsule::json;

namespace {

const std::map<std::string, KeyType> key_types{
    {"ecdsa-p256", KeyType::ecdsa_p256}, {"ed25519", KeyType::ed25519}, {"rsa-3072", KeyType::rsa}};

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

/// `kk/` would make `kk/.pem`, which nobody sees.
void refuse_folder(const std::string& prefix) {
  const auto name = std::filesystem::path{prefix}.filename();
  if (!name.empty() && name != "." && name != "..") return;
  throw Error{ErrorKind::usage,
              fmt::format("--out {}: a name is wanted, not a folder; {} makes key.pem and key.pub.pem",
                          capsule::printable(prefix, 1024),
                          capsule::printable((std::filesystem::path{prefix} / "key").string(), 1024))};
}

const CLI::App* define_keygen(CLI::App& app, KeygenOptions& wanted) {
  auto* keygen = app.add_subcommand("keygen", "Make a key pair, or all keys that the loop needs on one machine");
  keygen->fallthrough();  // --output and --outputs, behind the subcommand too
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
          "and a trust policy for them")
      ->excludes("--out")
      ->excludes("--type")
      ->excludes("--passphrase-file");
  return keygen;
}

const CLI::App* define_list_keys(CLI::App& app, ListKeysOptions& options) {
  auto* list = app.add_subcommand("list-keys", "List the keys of a PKCS#11 token; without its PIN, the public ones");
  list->fallthrough();
  list->add_option("--key", options.key, "Which token, and which of its keys [the one token that is there]")
      ->type_name("pkcs11:URI");
  capsule::step::add_pkcs11_module_option(*list, options.pkcs11_module);
  return list;
}

}  // namespace

Subcommands define_options(CLI::App& app, Options& options) {
  app.add_option("PACKAGE", options.package, "The package to sign, in place")->type_name("PATH");
  app.add_option("--key", options.key,
                 "Private key (ECDSA P-256 or P-384, RSA of 2048 bits or more, Ed25519): a PEM file, or a key on a "
                 "token, pkcs11:token=LABEL;object=LABEL?pin-source=file:/PATH")
      ->type_name("KEY");
  capsule::step::add_passphrase_option(app, options.passphrase_file);
  capsule::step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_flag("--replace", options.replace,
               "Put this key's signature in the place of another's, instead of beside it");
  return {define_keygen(app, options.keygen), define_list_keys(app, options.list_keys)};
}

capsule::step::Manual manual() {
  return {.outputs = {{"package", "Path of the package, which now has its signature"},
                      {"package-digest", "SHA-256 of the package"},
                      {"capsule-digest", "SHA-256 of checksum.sha256: what the capsule is, whoever signed it"},
                      {"index-digest", "Digest of the OCI version index that publish will write"}},
          .example = "capsule-sign capsule_m2n2-metal-0.1.0.tar.gz --key my-key.pem",
          .exit_codes = {10, 11, 12, 13, 14, 40, 42},
          .subcommands = {{"keygen", "capsule-sign keygen --out my-key"},
                          {"list-keys", "capsule-sign list-keys --pkcs11-module /usr/lib/softhsm/libsofthsm2.so"}}};
}

void run_sign(const Options& options, capsule::step::Context& step) {
  if (options.package.empty()) throw Error{ErrorKind::usage, "give the PACKAGE to sign (see capsule-sign --help)"};
  if (options.key.empty()) throw Error{ErrorKind::usage, "give --key KEY.pem (capsule-sign keygen makes one)"};
  const auto secret =
      capsule::step::read_key_secret(options.key, options.passphrase_file, capsule::step::MissingFile::is_none);
  const auto signer =
      capsule::crypto::open_signer(capsule::crypto::with_module(options.key, options.pkcs11_module), secret);
  const auto result =
      sign_package(options.package, *signer, step.progress(), options.replace ? Others::replace : Others::keep);
  step.output("package", options.package);
  step.output("package-digest", result.package_digest.text());
  step.output("capsule-digest", result.capsule_digest.text());
  step.output("index-digest", result.index_digest.text());
  step.result("key_id", signer->public_key().id());
  step.result("changed", result.changed());
  step.result("beside_another", result.is_further);
  step.summary(fmt::format("{} {} {} with key {}{}\n  package  {}\n  capsule  {}\n  index    {}\n",
                           result.changed() ? "Signed" : "Already signed:", result.manifest.name,
                           result.manifest.version, signer->public_key().id(),
                           result.is_further ? ", beside the signature that is there" : "",
                           result.package_digest.text(), result.capsule_digest.text(), result.index_digest.text()));
}

void run_keygen(const KeygenOptions& options, capsule::step::Context& step) {
  if (!options.out.empty()) {
    refuse_folder(options.out);
    const auto passphrase = capsule::step::read_passphrase(options.passphrase_file);
    report_pair(generate_key_files(key_files_of_prefix(options.out), options.type, passphrase), step);
    return;
  }
  if (options.state.empty()) throw Error{ErrorKind::usage, "give --out PREFIX for one key pair, or --state DIR"};
  report_state(generate_state_keys(options.state), step);
}

}  // namespace sign
