#pragma once

#include <string_view>

#include "attest/trust_policy.hpp"

namespace capsule::attest {

/// Before anything is signed for good: Error verification_failed unless `trust` accepts `key` in `role` for `name`.
/// What such a key would sign, every reader with this policy would refuse.
void require_own_key(const TrustPolicy& trust, Role role, std::string_view name, const crypto::PublicKey& key);

}  // namespace capsule::attest
