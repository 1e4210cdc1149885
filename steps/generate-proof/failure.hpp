#pragma once

#include <string>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "pod_place.hpp"

namespace generate_proof {

/// The ProofedDeployment object whose last run that is, if there is one, and an Event say that its proof has failed and
/// why; `deploy --plan` leaves it alone for a while. What keeps them from it is warned of: the failure is what counts.
void note_failure(const capsule::Error& error, const ClusterChoice& cluster, const std::string& name,
                  const capsule::Digest& run_record);

}  // namespace generate_proof
