#pragma once

#include "attest/trust_policy.hpp"
#include "deploy/host.hpp"

namespace capsule::deploy {

/// Who may vouch for a machine.
struct Certifiers {
  const attest::TrustPolicy& trust;
  /// The policy was made of one key (--key): whoever may sign a capsule may not certify machines by that.
  bool of_one_key = false;
};

/// What the identity of a machine is held against: those who may vouch for one of that name. `certifiers.trust` must
/// outlive it.
HostIdentityCheck identity_check(const Certifiers& certifiers, const std::string& node_name,
                                 const std::string& node_id);

/// This machine, and who it is: the host identity in `identity_file` (empty: host-identity.json in `state_folder`) held
/// against the role utid of the trust policy.
Host look_at_host(const fs::Path& state_folder, const fs::Path& identity_file, const Certifiers& certifiers);

}  // namespace capsule::deploy
