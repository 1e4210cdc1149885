#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cluster/objects.hpp"
#include "cluster/pod_gpus.hpp"
#include "cluster/pod_template.hpp"

namespace capsule::cluster {

/// Ports of a relay, the second container of a hook's pod. Its own, that the hook reaches, is on the pod's loopback.
inline constexpr unsigned relay_port = 8702;
inline constexpr unsigned relay_status_port = 8701;

/// The Secret with the key `api-key` of the proof service; it need not be there. Only a relay has it.
inline constexpr std::string_view proof_service_secret = "capsule-proof-service";
/// Where the relay finds it.
inline constexpr std::string_view api_key_file = "/keys/proof-service/api-key";

/// The way from a proof hook to the proof service.
struct RelayWish {
  std::string image;  ///< has capsule-generate-proof
  std::vector<std::string> command;
};

/// A pod in which the capsule's own code runs once, for a proof.
struct ProofPodWish {
  PodWish pod;
  Digest run_record;
  std::string purpose;  ///< what it is there for, a word of its name
  std::chrono::seconds lifetime{};
  std::optional<RelayWish> relay{};
  PodGpus gpus{};                ///< that it needs as the deployment's pods do
  std::optional<Owner> owner{};  ///< with whom it goes, should nobody remove it
};

/// `capsule-proof-<16 digits of the run record's digest>`: the lease of whoever makes its proof.
std::string proof_lease_name(const Digest& run_record);
/// The same with `-<purpose>`: a later try finds what an earlier one left.
std::string proof_pod_name(const Digest& run_record, std::string_view purpose);

/// The pod, of the same making as those of a deployment: restricted, without a token, without a key but in its relay,
/// never started again, and ended by the cluster after its lifetime. No controller adopts it: it has none of the
/// deployment's labels. Pure.
json::Object proof_pod(const ProofPodWish& wish);

}  // namespace capsule::cluster
