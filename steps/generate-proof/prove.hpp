#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "attest/trust_policy.hpp"
#include "core/secret.hpp"
#include "core/url.hpp"
#include "crypto/key.hpp"
#include "fs/fd.hpp"
#include "http/host_list.hpp"
#include "log/progress.hpp"
#include "oci/reference.hpp"
#include "pod_place.hpp"
#include "proof/published.hpp"

namespace generate_proof {

/// What is to be proven, and with what.
struct Task {
  capsule::oci::Reference reference;
  capsule::Digest run_record;
  const capsule::attest::TrustPolicy& trust;  ///< whose capsules may run here, and whose proofs are believed
  const capsule::crypto::Signer& signer;      ///< signs the bundle
  std::optional<capsule::Url> service;        ///< nothing: our own, for as long as it takes
  capsule::http::HostList insecure_services;  ///< may be spoken to over plain http, beside loopback
  std::optional<capsule::Secret> api_key;
  std::string utid;  ///< empty: had from the service
  capsule::fs::Path state;
  std::chrono::milliseconds hook_time;     ///< for the hook
  std::chrono::milliseconds service_time;  ///< for the service to come to an end
  std::optional<ClusterChoice> cluster;    ///< where the capsule's code runs; nothing: this machine
  capsule::log::Progress& progress;
};

struct Proven {
  capsule::proof::CheckedProof proof;
  bool already = false;  ///< an earlier call's bundle was found
};

/// From a run record to a published proof bundle (README.md). Nothing where there is nothing to prove: the policy does
/// not require a proof, and the capsule has no hook or makes no claims. A second call with the same run record and key
/// finds the bundle of the first.
std::optional<Proven> prove(const Task& task);

}  // namespace generate_proof
