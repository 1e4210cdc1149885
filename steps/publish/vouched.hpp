#pragma once

#include "attest/trust_policy.hpp"
#include "hints.hpp"
#include "image/capsule_input.hpp"
#include "image/verified_form.hpp"

namespace publish {

/// Whether as many as the policy wants have signed the version index that the hints name. What the package's segments
/// are need not be hashed again then (two of four hashes of every byte): adopt() makes the index from what verifying
/// found and from the hinted segments, and only if that is the very index that was signed, they are the package's.
bool is_vouched(const Hints& hints, capsule::image::CapsuleInput& input, const capsule::attest::TrustPolicy& policy);

/// Gives the segments of a capsule that was verified without hashing them their digests from the hints. False, and
/// nothing is changed, unless the version index that comes of it is the hinted one.
bool adopt(const Hints& hints, capsule::image::VerifiedForm& checked);

}  // namespace publish
