#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deploy/target.hpp"
#include "step/registry_options.hpp"
#include "step/run.hpp"

namespace deploy_step {

struct Options {
  std::string reference;
  std::string trust;
  std::string key;
  std::string pkcs11_module;
  std::string target = "this-machine";
  std::vector<std::string> allow_unmet;
  std::string parameters = "{}";
  std::optional<std::uint64_t> seed;
  std::uint64_t budget = 0;
  bool new_run = false;
  std::string timeout = "10m";
  double watts = 15;
  capsule::fs::Path host_identity;
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Fetches the capsule by digest, verifies it while unpacking it, holds its requirements against the target, installs
/// it, asks its health check, runs it once, and attaches the run record to its version index. A run that is done is
/// found again.
void run(const Options& options, capsule::step::Context& step);
/// Ends the warm pool of a deployment; twice is fine, and so is a name that was never deployed.
void remove(const Options& options, capsule::step::Context& step);

}  // namespace deploy_step
