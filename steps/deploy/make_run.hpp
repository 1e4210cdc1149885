#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "deploy/this_machine.hpp"
#include "oci/store.hpp"
#include "proofed_deployment.hpp"

namespace deploy_step {

/// A run that is to be made, and with what.
struct RunToMake {
  capsule::oci::Store& store;
  capsule::oci::Descriptor subject;  ///< the version index that the record refers to
  capsule::deploy::ThisMachine& target;
  const capsule::VerifiedCapsule& capsule;
  capsule::fs::Path root;  ///< of the unpacked capsule
  capsule::fs::Path pool;  ///< folder of the warm pool
  std::vector<std::string> waived;
  ProofedDeployment& object;
  std::chrono::milliseconds time_limit;
  double watts;  ///< of one busy core
};

struct RunMade {
  capsule::Digest record;
  capsule::deploy::RunStart::Mode mode{};
};

/// Installs the capsule, asks its health, fills its warm pool where the manifest wants one, runs it once, in a waiting
/// process where one is to be had, and attaches the run record. Errors: those of the capsule's own code.
RunMade make_run(const RunToMake& run, const capsule::deploy::RunRequest& request);

}  // namespace deploy_step
