#pragma once

#include "json/cursor.hpp"
#include "proof/evidence.hpp"

namespace capsule::proof {

inline constexpr std::size_t min_samples = 2;
inline constexpr std::size_t max_samples = 10'000;  ///< a side
inline constexpr std::size_t bootstrap_draws = 2'000;
/// How far a number of the evidence may be from ours (absolute below 1, relative above).
inline constexpr double alignment_tolerance = 1e-9;

/// Checks one sim_alignment piece: the samples are those of the run record, the reference is the capsule's, every
/// statistic is computed again from them. Error verification_failed for a piece about something else.
ClaimResult check_alignment(const Facts& facts, const json::Cursor& piece);

/// What the run's samples are by themselves, without evidence: within the claim's thresholds or not.
ClaimResult decide_alignment(const Facts& facts, const Claim& claim);

/// The form alone: members and types.
ClaimResult check_alignment_form(const json::Cursor& piece);

}  // namespace capsule::proof
