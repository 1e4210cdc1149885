#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "deploy/proofed_deployment.hpp"
#include "deploy/this_machine.hpp"
#include "oci/store.hpp"

namespace deploy_step {

/// A run that is to be made, and with what.
struct RunToMake {
  capsule::deploy::ThisMachine& target;
  const capsule::VerifiedCapsule& capsule;
  capsule::fs::Path root;  ///< of the unpacked capsule
  capsule::fs::Path pool;  ///< folder of the warm pool
  std::vector<std::string> waived;
  capsule::deploy::ProofedDeployment& object;
  std::chrono::milliseconds time_limit;
  double watts;  ///< of one busy core
};

/// Installs the capsule, asks its health, fills its warm pool where the manifest wants one, runs it once, in a waiting
/// process where one is to be had; gives its record. The object says how far it is. Errors: those of the capsule's own
/// code.
std::string make_run(const RunToMake& run, const capsule::deploy::RunRequest& request);

}  // namespace deploy_step
