#pragma once

#include "options.hpp"

namespace deploy_step {

/// Fetches the capsule by digest, verifies it while unpacking it, holds its requirements against the target, installs
/// it, asks its health check, runs it once, and attaches the run record to its version index. A run that is done is
/// found again.
void run(const Options& options, capsule::step::Context& step);
/// Ends the warm pool of a deployment; twice is fine, and so is a name that was never deployed.
void remove(const Options& options, capsule::step::Context& step);

}  // namespace deploy_step
