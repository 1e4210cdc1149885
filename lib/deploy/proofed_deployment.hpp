#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "fs/fd.hpp"
#include "json/value.hpp"

namespace capsule::deploy {

/// The ProofedDeployment object (infra.industriverse.ai/v1) of a deployment on this machine: a file in the form that
/// the cluster's object has, status and all (deployment_status.hpp). Every change is one atomic write; several
/// processes may make them. A damaged file is begun anew, with a warning.
class ProofedDeployment {
 public:
  explicit ProofedDeployment(fs::Path file) : m_file(std::move(file)) {}
  /// `<state>/deployments/<name>/proofeddeployment.json`; its folder must exist for a change.
  static fs::Path file_of(const fs::Path& state, const std::string& name);

  /// What is wanted; another spec than before is a new generation. A run is pending, and so is its proof.
  void begin(const Manifest& manifest, const Digest& capsule, const std::string& image, const std::string& run_id);
  /// So many processes wait; none: why.
  void warm(unsigned replicas, const std::string& reason);
  void running();
  /// So many processes wait when the run is over.
  void refilled(unsigned replicas);
  /// The run is done; `start`: warm or cold.
  void ran(const Digest& record, const std::string& start);
  void failed(const Error& error);
  /// Takes in the proof of the last run. False where this is no deployment of that capsule, or the proof is of another
  /// run; nothing is written then, or where it says all of it already.
  bool proved(const ProofOfRun& proof);
  /// The warm pool was ended; nothing where there is no object.
  void pool_ended();

 private:
  void change(const std::function<void(json::Object& object)>& work);
  fs::Path m_file;
};

}  // namespace capsule::deploy
