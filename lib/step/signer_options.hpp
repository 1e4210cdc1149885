#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace capsule::step {

/// Whose signature a capsule must bear, as typed: what attest::find_trust() takes.
struct SignerOptions {
  std::string key;
  std::string pkcs11_module;
  std::string trust;
};

/// Adds --key, --pkcs11-module and --trust; a key and a policy exclude each other.
void add_signer_options(CLI::App& app, SignerOptions& options);

}  // namespace capsule::step
