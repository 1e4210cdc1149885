#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "crypto/key.hpp"
#include "json/value.hpp"
#include "proof/capsule_facts.hpp"
#include "proof/evidence.hpp"

namespace capsule::proof {

/// The largest run record that is read.
inline constexpr std::size_t max_run_record_bytes = std::size_t{16} << 20U;

inline constexpr std::string_view predicate_type = "https://industriverse.ai/capsule-proof/v1";
/// Annotation of the bundle's referrer.
inline constexpr std::string_view proof_id_annotation = "ai.industriverse.capsule.proof-id";

/// What a proof bundle says: a Sigstore bundle with a DSSE in-toto statement of `predicate_type`, whose subjects are
/// named "capsule", "version-index" and "run-record".
struct Bundle {
  Digest capsule;
  Digest version_index;
  Digest run_record;

  std::string proof_id;
  Digest proof_hash;  ///< see proof_hash()
  std::string utid;
  ProofPolicy policy;
  json::Value evidence;  ///< an array
  json::Value service;   ///< an object: which service, and the state in which it left the proof; nobody relies on it
  json::Value replay;    ///< an object: whether generate-proof ran the capsule again, or why not
};

/// `proof_` and 8 hexadecimal digits.
bool is_proof_id(std::string_view text) noexcept;

/// Signs it; the payload is canonical JSON, so that the same facts give the same payload.
std::string sign_bundle(const Bundle& bundle, const crypto::Signer& signer);

/// What a bundle says after its signature was checked: one of `keys` made it. What it says is not checked yet. Errors:
/// invalid_input (malformed), verification_failed (signature, predicate type, subjects), usage (no keys).
Bundle open_bundle(std::string_view text, std::span<const crypto::PublicKey> keys);

/// Checks again all that a bundle says, against the verified capsule, the version index under which it was found, and
/// the run record's bytes: subjects, the record's own capsule, policy, proof_hash, a piece of evidence for each type of
/// the policy, and every claim. Returns one result per claim, all of which hold; Error verification_failed otherwise,
/// with the claim's name and by how much it fails. Pure.
std::vector<ClaimResult> check_bundle(const Bundle& bundle, const CapsuleFacts& capsule, const Digest& version_index,
                                      std::string_view run_record);

/// The run record as JSON, after it was compared with the capsule (name, version, digest). Error invalid_input,
/// verification_failed.
json::Value read_run_record(std::string_view text, const CapsuleFacts& capsule);

}  // namespace capsule::proof
