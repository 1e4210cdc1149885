#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "json/value.hpp"
#include "proof/claims.hpp"

namespace capsule::proof {

inline constexpr std::string_view mathematical_proof = "mathematical_proof";
inline constexpr std::string_view sim_alignment = "sim_alignment";
/// Evidence types that we check; a proof policy with another one is refused by name.
bool is_known_proof_type(std::string_view type) noexcept;

/// The largest evidence (as JSON) that is read: a certificate of 10⁷ nodes fits, and so does the bundle around it.
inline constexpr std::size_t max_evidence_bytes = std::size_t{16} << 20U;
inline constexpr std::size_t max_evidence_depth = Claims::max_json_depth + 8;

/// What a check of one claim came to.
struct ClaimResult {
  enum class Verdict {
    holds,
    fails,
    not_checked,  ///< alone, without capsule and run record, it cannot be
  };
  std::string claim;
  std::string type;  ///< the evidence's: "mathematical_proof" or "sim_alignment"
  Verdict verdict{};
  std::string detail;  ///< one line: by how much it holds or fails
};

/// What evidence is checked against: all of it comes from the verified capsule and from deploy's run record, none of it
/// from whoever made the evidence.
struct Facts {
  const Claims& claims;
  const std::map<std::string, std::string>& files;  ///< the files that sim_alignment claims name, by path
  const json::Value& record;
};

/// Checks a list of evidence (README of steps/generate-proof, "Evidence"): the claims that it proves must be those of
/// the capsule with this run's values, every claim must have exactly one piece of evidence, every certificate is
/// walked, all statistics are computed again. One result per claim, in the claims' order. Error verification_failed for
/// what is not evidence of these claims at all: an unknown type (named), another run's or capsule's claims, a missing,
/// doubled or surplus piece. Pure.
std::vector<ClaimResult> check_evidence(const Facts& facts, const json::Value& evidence);

/// Error verification_failed that names each claim that does not hold, and by how much.
void require_all_hold(const std::vector<ClaimResult>& results);

/// What can be said of one piece of evidence without capsule and run record: the certificates of a mathematical_proof
/// against the claims that stand in it; of a sim_alignment only its form. Error verification_failed as above. What its
/// certificates cost is taken from `cost_left`; one that would take more does not hold. Pure.
std::vector<ClaimResult> check_alone(const json::Value& piece, std::uint64_t& cost_left);

/// SHA-256 of the canonical JSON: the evidence's name in the state folder and in outputs.
Digest evidence_digest(const json::Value& evidence);

/// SHA-256 of canonical {"capsule_digest", "claims_digest", "run_record_digest"}.
Digest proof_hash(const Digest& capsule, const Digest& claims, const Digest& run_record);

}  // namespace capsule::proof
