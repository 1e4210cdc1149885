#pragma once

#include <string>

#include "kube/config.hpp"
#include "kube/resource.hpp"

namespace deploy_step {

/// Where SIGTERM or SIGINT ends the process, the lease that it holds by that name is given back first, so that the next
/// deploy need not wait until it has run out. All else stays as it is: the next one takes up the run that was begun. An
/// API server that does not answer is waited for a few seconds.
void give_back_on_termination(const capsule::kube::Choice& cluster, const capsule::kube::Name& lease,
                              const std::string& holder);

}  // namespace deploy_step
