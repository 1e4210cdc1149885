#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "core/secret.hpp"

namespace capsule::step {

/// Adds --passphrase-file FILE. A passphrase itself is never an argument: every user of the machine can read those.
CLI::Option* add_passphrase_option(CLI::App& app, std::string& file);

/// What a passphrase file that is not there means: a fault, or no passphrase (a workflow names the file always, a key
/// that is not encrypted has none; an encrypted key without a passphrase is refused by crypto).
enum class MissingFile { is_error, is_none };

/// The passphrase in `file` (less one newline at its end, at most 1 KiB), else that in CAPSULE_PASSPHRASE, else
/// nothing. What the environment had is wiped there, so a second call finds nothing. Error usage for a file that is
/// empty, too long or more than one line; not_found.
std::optional<Secret> read_passphrase(const std::string& file, MissingFile missing = MissingFile::is_error);

/// Adds --pkcs11-module PATH, for keys that are named by a pkcs11: URI.
CLI::Option* add_pkcs11_module_option(CLI::App& app, std::string& module);

/// What opens the private key `key`: for a pkcs11: URI the PIN in CAPSULE_PKCS11_PIN (or nothing: the URI may name a
/// file with it; wiped there), else read_passphrase(). A passphrase is never tried as a PIN: Error usage for a token's
/// key with a passphrase file.
std::optional<Secret> read_key_secret(const std::string& key, const std::string& file,
                                      MissingFile missing = MissingFile::is_error);

}  // namespace capsule::step
