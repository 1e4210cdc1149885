#pragma once

#include <memory>
#include <optional>

#include "attest/trust_policy.hpp"
#include "image/capsule_input.hpp"
#include "index/index.hpp"
#include "log/progress.hpp"
#include "oci/store.hpp"
#include "options.hpp"
#include "proof/published.hpp"
#include "resolve/proved_capsule.hpp"

namespace verify_step {

/// What CAPSULE stands for, and where the rest of it is.
struct Subject {
  std::unique_ptr<capsule::oci::Store> store;  ///< null: a package that is in no registry
  std::optional<capsule::Digest> index;        ///< the version index in that store
  std::unique_ptr<capsule::image::CapsuleInput> input;
  std::optional<capsule::index::Found> found;             ///< a capsule:// URI: what the signed index says of it
  std::optional<capsule::resolve::ProvedCapsule> proved;  ///< one with ?proof=true: all of it is checked already
};

/// Errors of image::locate_capsule, resolve::resolve.
Subject find_subject(const Options& options, const capsule::attest::TrustPolicy& trust,
                     capsule::log::Progress& progress);

/// A capsule that holds, where it was unpacked (empty: nowhere), and what was checked beside it.
struct Verified {
  capsule::VerifiedCapsule capsule;
  std::optional<capsule::proof::CheckedProof> proof;
  std::vector<capsule::resolve::AnchoredReceipt> receipts;
  capsule::fs::Path unpacked{};
};

/// Verifies the package, that it is the one of the index, and the bundle of --proof. What find_subject has checked is
/// not checked again, except to be unpacked. Errors of image::verify_input, proof::check_published_proof,
/// proof::check_given_proof.
Verified verify(const Subject& subject, const Options& options, const capsule::attest::TrustPolicy& trust,
                capsule::log::Progress& progress);

}  // namespace verify_step
