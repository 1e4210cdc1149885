#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/proof_pod.hpp"
#include "core/url.hpp"
#include "oci/reference.hpp"
#include "place.hpp"

namespace generate_proof {

/// A namespace of a cluster, and what our pods there are made of.
struct ClusterChoice {
  std::string ns;  ///< empty: that of the context, or of our own pod
  std::string kubeconfig;
  std::string context;
  capsule::cluster::CapsuleVolume volume = capsule::cluster::CapsuleVolume::download;
  capsule::cluster::Images images{"capsule-loop.invalid/agent:" CAPSULE_VERSION,
                                  "capsule-loop.invalid/verify:" CAPSULE_VERSION,
                                  "capsule-loop.invalid/runtime-python:" CAPSULE_VERSION};
  std::string relay_image = "capsule-loop.invalid/generate-proof:" CAPSULE_VERSION;
  std::vector<std::string> insecure_registries;
  std::vector<std::string> insecure_services;
  bool allow_hook_network = false;  ///< where a node's kernel cannot keep the hook from it
};

/// What the pods are for.
struct PodTask {
  const Subject& capsule;
  capsule::oci::Reference reference;
  capsule::Digest run_record;
  std::optional<capsule::Url> service;   ///< nothing: our own, which no pod can reach
  std::chrono::milliseconds time_limit;  ///< of the hook, and of a run
  std::chrono::milliseconds patience;    ///< with another call that proves the run
  std::vector<std::string> waived{};     ///< of the run record: what the run went without
};

/// A cluster (shared/design/kubernetes.md, "Proof on the cluster"): hook and replays run in pods of their own, one
/// each, which have neither a key nor a token; the API key of the proof service is in the hook's relay alone, a second
/// container. One proof of a run at a time, by a Lease. The pods go with their work, whether it ends well or not, and
/// on SIGTERM; those of a killed try go first.
class PodPlace final : public Place {
 public:
  /// Waits for another one that proves the run, which may be proved then. Errors usage where the capsule is in a folder
  /// of this machine; busy where the other one takes too long; not_found where the namespace has nothing to check the
  /// capsule against.
  PodPlace(const ClusterChoice& choice, PodTask task);
  PodPlace(const PodPlace&) = delete;
  PodPlace& operator=(const PodPlace&) = delete;
  ~PodPlace() override;
  HookAnswer ask_hook(const HookWish& wish, capsule::proof::ProofService& service) override;
  capsule::deploy::FreshRun fresh_run() override;

 private:
  struct Cluster;
  class Pod;
  capsule::json::Value run(const capsule::deploy::RunRequest& request);
  std::vector<std::string> relay_command(const HookWish& wish, capsule::proof::ProofService& service) const;

  PodTask m_task;
  std::shared_ptr<Cluster> m_cluster;
  unsigned m_runs = 0;
};

}  // namespace generate_proof
