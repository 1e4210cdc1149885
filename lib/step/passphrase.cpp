#include "step/passphrase.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "fs/secret_file.hpp"

namespace capsule::step {

namespace {

bool is_given(const std::string& file, MissingFile missing) {
  return !file.empty() && (missing == MissingFile::is_error || std::filesystem::exists(file));
}

/// Takes a secret out of the environment: what stays there, /proc/<pid>/environ shows to all programs of this user, and
/// children inherit it.
std::optional<Secret> secret_in(const char* variable) {
  char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before there are threads
  if (value == nullptr || *value == '\0') return std::nullopt;
  Secret secret{value};
  ::explicit_bzero(value, std::strlen(value));
  return secret;
}

}  // namespace

CLI::Option* add_passphrase_option(CLI::App& app, std::string& file) {
  return app
      .add_option("--passphrase-file", file,
                  "File with the passphrase of an encrypted key; else $CAPSULE_PASSPHRASE is used")
      ->type_name("FILE");
}

std::optional<Secret> read_passphrase(const std::string& file, MissingFile missing) {
  if (is_given(file, missing)) return fs::read_secret_file(file, "the passphrase");
  return secret_in("CAPSULE_PASSPHRASE");
}

CLI::Option* add_pkcs11_module_option(CLI::App& app, std::string& module) {
  return app
      .add_option("--pkcs11-module", module,
                  "The vendor's PKCS#11 library, for a key on a token, unless its pkcs11: URI has module-path")
      ->type_name("PATH");
}

std::optional<Secret> read_key_secret(const std::string& key, const std::string& file, MissingFile missing) {
  if (!key.starts_with("pkcs11:")) return read_passphrase(file, missing);
  if (is_given(file, missing)) {
    throw Error{ErrorKind::usage,
                "--passphrase-file is for a PEM key; the PIN of a token comes from pin-source in its URI, or from "
                "CAPSULE_PKCS11_PIN"};
  }
  return secret_in("CAPSULE_PKCS11_PIN");
}

}  // namespace capsule::step
