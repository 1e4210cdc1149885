#pragma once

#include <vector>

#include "proof/evidence.hpp"

namespace capsule::proof {

/// The claims that no evidence can prove, found in milliseconds, so that no hook searches for hours in vain: compare
/// claims that do not hold, sim_alignment claims beyond their thresholds, and forall claims that are false at a point
/// which a short search found (with that point). What is not in the list may still be false. Errors of check_evidence
/// for a run record that lacks what a claim needs. Pure.
std::vector<ClaimResult> refuted_claims(const Facts& facts);

}  // namespace capsule::proof
