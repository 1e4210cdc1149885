#pragma once

#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "step/run.hpp"

namespace verify_step {

struct Options {
  std::string capsule;
  std::string key;
  std::string trust;
  std::string target;                    ///< empty: whether it can run anywhere is not asked
  std::vector<std::string> allow_unmet;  ///< requirements, as the manifest writes them, that the target may lack
  capsule::fs::Path store;               ///< empty: STATE/store
  capsule::fs::Path state;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Verifies the capsule against whom the caller trusts, and reports what it is. With a target, first demands that the
/// target has what the capsule requires: Error unmet_requirement.
void run(const Options& options, capsule::step::Context& step);

}  // namespace verify_step
