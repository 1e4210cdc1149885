#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cluster/platform_operator.hpp"
#include "cluster/pod_template.hpp"
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
  std::chrono::milliseconds timeout = std::chrono::minutes{10};
  double watts = 15;
  capsule::fs::Path host_identity;
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;
  std::string kubeconfig;
  std::string context;
  std::string registry;    ///< that looks up a capsule:// URI
  std::string index_head;  ///< of the index by which somebody else has found the reference
  bool plan = false;
  bool retry_failed = false;
  bool renew_proofs = false;
  bool force_conflicts = false;
  capsule::cluster::CapsuleVolume capsule_volume = capsule::cluster::CapsuleVolume::download;
  capsule::cluster::OperatorMode operator_mode = capsule::cluster::OperatorMode::none;
  std::string gpu_claim;
  capsule::cluster::Images images{"capsule-loop.invalid/agent:" CAPSULE_VERSION,
                                  "capsule-loop.invalid/verify:" CAPSULE_VERSION,
                                  "capsule-loop.invalid/runtime-python:" CAPSULE_VERSION};
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

}  // namespace deploy_step
