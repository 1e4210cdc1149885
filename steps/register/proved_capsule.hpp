#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "oci/store.hpp"

namespace register_step {

/// The claims and receipts of one capsule, checked: what register signs and resolve promises.
struct ProvedCapsule {
  capsule::VerifiedCapsule capsule;
  struct Proof {
    std::string id;
    capsule::Digest digest;
    std::vector<std::string> lines;  ///< one per claim, for people
  };
  std::optional<Proof> proof;
  struct Anchor {
    std::string chain;
    std::string tx;
    std::string time;
    capsule::Digest digest;
  };
  std::vector<Anchor> anchors;
};

/// What is to be checked: digests of documents that are attached to the version index.
struct ProofRequest {
  capsule::Digest index;  ///< the version index
  std::string name;
  std::optional<capsule::Digest> bundle;
  std::vector<capsule::Digest> receipts;
};

/// Verifies the package as it is published, then the proof bundle against it and against the run record that the bundle
/// names (every claim is checked again), then each receipt against the bundle. A policy that requires a proof and has
/// none, lacks a type, or an anchor, is Error verification_failed.
ProvedCapsule check_proof(capsule::oci::Store& store, const ProofRequest& request,
                          const capsule::attest::TrustPolicy& trust, capsule::log::Progress& progress);

}  // namespace register_step
