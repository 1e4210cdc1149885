#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "attest/trust_policy.hpp"
#include "core/digest.hpp"
#include "image/capsule_input.hpp"
#include "log/progress.hpp"
#include "oci/store.hpp"
#include "proof/bundle.hpp"
#include "proof/facts_collector.hpp"

namespace capsule::proof {

/// A verified capsule, and what a check of its proof needs of it.
struct CapsuleWithFacts {
  VerifiedCapsule capsule;
  CapsuleFacts facts;
};

/// Reads a capsule from front to back and verifies it by the trust policy's role capsule. Nothing is written. Errors of
/// image::verify_input and FactsCollector::finish.
CapsuleWithFacts verify_with_facts(image::CapsuleInput& input, const attest::TrustPolicy& trust,
                                   log::Progress* progress = nullptr);

/// The same for the capsule that a version index names, which is also held against what the index claims. Errors of
/// image::read_published too.
CapsuleWithFacts verify_published_capsule(oci::Store& store, const Digest& version_index,
                                          const attest::TrustPolicy& trust, log::Progress* progress = nullptr);

/// A proof bundle that was found in a store and checked again.
struct CheckedProof {
  Digest digest;  ///< of the bundle's blob
  Bundle bundle;
  std::vector<ClaimResult> results;  ///< all of them hold
  std::string run_record;            ///< the bytes of the record that the bundle names
  unsigned signers = 1;              ///< trusted keys that are known to have signed a proof of this run
};

/// Checks the bundle with that digest as a stranger would: signed by the trust policy's role proof (by as many keys as
/// it asks for, over this and the other bundles about the same run), about this capsule and version index, every claim
/// proven by its evidence, its run no older than the policy allows; neither it nor the run record or the version index
/// is revoked. Errors not_found,
/// verification_failed, invalid_input.
CheckedProof check_published_proof(oci::Store& store, const Digest& version_index, const Digest& bundle,
                                   const CapsuleFacts& capsule, const attest::TrustPolicy& trust);

/// The bytes of the run record with that digest; what it gives is compared with the digest.
using RecordReader = std::function<std::string(const Digest&)>;

/// The same for a bundle that came by another way than its registry. It counts for one key: a trust policy that asks
/// for more is not met.
CheckedProof check_given_proof(std::string_view bundle, const Digest& version_index, const CapsuleFacts& capsule,
                               const attest::TrustPolicy& trust, const RecordReader& read_record);
/// Reads it from the store where a bundle of this version stands. Error not_found.
RecordReader record_reader(oci::Store& store);

/// Whether any proof bundle, good or bad, is attached to the version index or to the run record: cheap.
bool has_bundles(oci::Store& store, const Digest& version_index, const Digest& run_record);

/// The first bundle that `keys` signed, that is about `run_record`, that holds, and that `trust` does not revoke;
/// nothing where there is none. One that fails hides no other. Those attached to the run record come first: of the
/// version index a store lists only some (Store::referrers), and its runs may be many.
std::optional<CheckedProof> find_proof(oci::Store& store, const Digest& version_index, const Digest& run_record,
                                       const CapsuleFacts& capsule, std::span<const crypto::PublicKey> keys,
                                       const attest::TrustPolicy& trust);

/// Attaches a bundle to its version index, and to the run record with these bytes (find_proof): predicateType and
/// proof_id stand in annotations. The same again changes nothing. Returns the digest of the bundle's blob.
Digest publish_proof(oci::Store& store, const oci::Descriptor& version_index, std::string_view run_record,
                     const std::string& bundle, const std::string& proof_id);

}  // namespace capsule::proof
