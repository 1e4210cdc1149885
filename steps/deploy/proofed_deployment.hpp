#pragma once

#include <string>

#include "capsule/verified_capsule.hpp"
#include "fs/fd.hpp"

namespace deploy_step {

/// The ProofedDeployment object (infra.industriverse.ai/v1) of a deployment on this machine: a file, in the form that a
/// cluster's would have, with the proof pending.
class ProofedDeployment {
 public:
  ProofedDeployment(capsule::fs::Path file, const capsule::VerifiedCapsule& capsule, std::string image);
  /// Writes the object with status.phase: Pending, Running, Succeeded.
  void set_phase(std::string_view phase, const std::string& run_id) const;

 private:
  capsule::fs::Path m_file;
  const capsule::VerifiedCapsule& m_capsule;
  std::string m_image;
};

}  // namespace deploy_step
