#pragma once

#include <functional>
#include <vector>

#include "workflow/run_state.hpp"

namespace capsule::workflow {

/// Runs every piece of work in a thread of its own; the first exception is thrown when all are done.
std::vector<Outcome> run_together(const std::vector<std::function<Outcome()>>& work);

/// What a group of tasks comes to: the first that failed, and may not, says why.
Outcome combined(const std::vector<Outcome>& outcomes, const std::vector<bool>& may_fail);

}  // namespace capsule::workflow
