#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <string>

#include "fs/fd.hpp"
#include "pod_place.hpp"
#include "relay_step.hpp"
#include "step/registry_options.hpp"
#include "step/run.hpp"

namespace generate_proof {

/// The command line.
struct Options {
  std::string reference;
  std::string run_record;
  std::string key;
  std::string pkcs11_module;
  std::string passphrase_file;
  std::string trust;
  std::string utid;
  std::string proof_service;
  std::vector<std::string> insecure_services;
  std::string api_key_file;
  std::chrono::milliseconds hook_time = std::chrono::minutes{30};
  std::chrono::milliseconds service_time = std::chrono::seconds{60};
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;
  std::string target = "this-machine";
  ClusterChoice cluster;
  RelayOptions relay;  ///< of the subcommand `relay`
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();
void run(const Options& options, capsule::step::Context& step);

}  // namespace generate_proof
