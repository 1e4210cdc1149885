#pragma once

#include "options.hpp"

namespace verify_step {

/// Verifies the capsule against whom the caller trusts, and reports what it is; for a capsule:// URI also the index,
/// and where a proof is asked for, the bundle, every claim of it, and the receipts. With --replay the recorded run is
/// made again; with a target, what the capsule needs is held against it.
void run(const Options& options, capsule::step::Context& step);

}  // namespace verify_step
