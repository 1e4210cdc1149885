#pragma once

#include <string>

#include "step/registry_options.hpp"
#include "step/run.hpp"

namespace anchor_step {

struct Options {
  std::string reference;
  std::string proof_bundle;
  std::string trust;
  std::string log;
  std::string log_key;
  std::string pkcs11_module;
  std::string passphrase_file;
  std::string log_name = "local";
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Finds the proof bundle beside the capsule, checks its signature, anchors it to the chains that the manifest asks
/// for, and to the deployer's log where it asks for none.
void run(const Options& options, capsule::step::Context& step);

}  // namespace anchor_step
