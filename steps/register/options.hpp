#pragma once

#include <string>
#include <vector>

#include "step/registry_options.hpp"
#include "step/run.hpp"

namespace register_step {

struct Options {
  std::string reference;
  std::string proof_bundle;
  std::vector<std::string> receipts;
  std::string key;
  std::string pkcs11_module;
  std::string passphrase_file;
  std::string registry;
  std::string trust;
  std::string uri;
  std::string name;
  std::string target = "this-machine";
  std::string kubeconfig;
  std::string context;
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;

  [[nodiscard]] capsule::fs::Path state_folder() const {
    return state.empty() ? capsule::step::default_state_folder() : state;
  }
};

/// Defines the options of `capsule-register REFERENCE …`, `capsule-register resolve URI …` and `capsule-register list
/// …`.
void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

}  // namespace register_step
