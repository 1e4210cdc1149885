#pragma once

#include <string>
#include <string_view>

#include "attest/trust_policy.hpp"
#include "fs/fd.hpp"

namespace capsule::attest {

/// Where below the state folder `capsule-sign keygen --state` keeps the key of a role: key.pem, key.pub.pem.
fs::Path own_key_folder(const fs::Path& state, Role role);

/// The private key of this machine for a role: the `given` one, else that of its own_key_folder.
std::string own_key(const std::string& given, const fs::Path& state, Role role);

/// Before anything is signed for good: Error verification_failed unless `trust` accepts `key` in `role` for `name`.
/// What such a key would sign, every reader with this policy would refuse.
void require_own_key(const TrustPolicy& trust, Role role, std::string_view name, const crypto::PublicKey& key);

}  // namespace capsule::attest
