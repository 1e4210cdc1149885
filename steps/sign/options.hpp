#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "crypto/key.hpp"
#include "fs/fd.hpp"
#include "step/run.hpp"

namespace sign {

struct KeygenOptions {
  std::string out;          ///< prefix of the two files
  capsule::fs::Path state;  ///< or: the state folder
  std::optional<capsule::crypto::KeyType> type;
  std::string passphrase_file;
};

struct ListKeysOptions {
  std::string key;  ///< pkcs11: URI of the token
  std::string pkcs11_module;
};

struct Options {
  std::string package;
  std::string key;
  std::string pkcs11_module;
  std::string passphrase_file;
  bool replace = false;  ///< another key's signature.sig
  KeygenOptions keygen;
  ListKeysOptions list_keys;
};

struct Subcommands {
  const CLI::App* keygen = nullptr;
  const CLI::App* list_keys = nullptr;
};

/// Adds all options; returns the subcommands.
Subcommands define_options(CLI::App& app, Options& options);

capsule::step::Manual manual();

/// Signs the package and reports it.
void run_sign(const Options& options, capsule::step::Context& step);

/// The subcommand: makes keys and reports them.
void run_keygen(const KeygenOptions& options, capsule::step::Context& step);

/// The subcommand: lists the keys of a token.
void run_list_keys(const ListKeysOptions& options, capsule::step::Context& step);

}  // namespace sign
