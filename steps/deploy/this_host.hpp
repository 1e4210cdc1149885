#pragma once

#include "attest/trust_policy.hpp"
#include "deploy/host.hpp"
#include "deploy_step.hpp"

namespace deploy_step {

/// This machine, and who it is: its host identity is held against the role utid of the trust policy.
capsule::deploy::Host look_at_host(const Options& options, const capsule::fs::Path& state,
                                   const capsule::attest::TrustPolicy& trust);

}  // namespace deploy_step
