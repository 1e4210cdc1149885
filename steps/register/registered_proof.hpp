#pragma once

#include "attest/trust_policy.hpp"
#include "index/documents.hpp"
#include "oci/store.hpp"
#include "resolve/proved_capsule.hpp"

namespace register_step {

/// Whether the index keeps the proof that it has of a version, in the place of ours, which is of another run: it is of
/// the same package, it is good still, and its run ended no earlier, nor in the future. So that of several places that
/// prove one version, each for itself, the newest proof stands in the index, and it is written no more. Errors where
/// the other one could not be looked at.
bool keeps(const capsule::index::Record& there, const capsule::index::Record& ours,
           const capsule::resolve::ProvedCapsule& proved, capsule::oci::Store& store,
           const capsule::attest::TrustPolicy& trust);

}  // namespace register_step
