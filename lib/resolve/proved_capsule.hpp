#pragma once

#include <optional>
#include <string>
#include <vector>

#include "anchor/anchor.hpp"
#include "attest/trust_policy.hpp"
#include "image/published_package.hpp"
#include "log/progress.hpp"
#include "oci/store.hpp"
#include "proof/published.hpp"

namespace capsule::resolve {

struct AnchoredReceipt {
  Digest digest;  ///< of the receipt's bytes
  anchor::Receipt receipt;
};

/// A published capsule, its proof and its receipts, all of them checked: what register signs and resolve promises.
struct ProvedCapsule {
  image::PublishedPackage published;  ///< what the registry claims; held against the verified package
  VerifiedCapsule capsule;
  proof::CapsuleFacts facts;  ///< of the same package: what a check of a proof needs
  std::optional<proof::CheckedProof> proof;
  std::vector<AnchoredReceipt> receipts;
};

/// What is to be checked: digests of documents that are attached to the version index.
struct ProofRequest {
  Digest index;  ///< the version index
  std::string name;
  std::optional<Digest> bundle;
  std::vector<Digest> receipts;
};

/// Verifies the package as it is published, then the proof bundle against it and against the run record that the bundle
/// names (every claim is checked again), then each receipt against the bundle. What the capsule's policy asks for and
/// what is not there is Error verification_failed.
ProvedCapsule check_proof(oci::Store& store, const ProofRequest& request, const attest::TrustPolicy& trust,
                          log::Progress& progress);

struct ProofAndReceipts {
  std::optional<proof::CheckedProof> proof;
  std::vector<AnchoredReceipt> receipts;
};

/// The same of a capsule that is verified already: `facts` are those of the package behind `request.index`.
ProofAndReceipts check_proof_of(oci::Store& store, const ProofRequest& request, const proof::CapsuleFacts& facts,
                                const attest::TrustPolicy& trust);

/// One line for each thing that was checked: the bundle, each claim, each receipt.
std::vector<std::string> checks_of(const proof::CheckedProof& proof, const std::vector<AnchoredReceipt>& receipts);

}  // namespace capsule::resolve
