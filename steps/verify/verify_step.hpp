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
  capsule::fs::Path store;  ///< empty: STATE/store
  std::string target;       ///< empty: what the capsule needs is not held against any machine
  std::vector<std::string> allow_unmet;
  capsule::fs::Path state;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Verifies the capsule against whom the caller trusts, and reports what it is; with a target, also whether it can run
/// there.
void run(const Options& options, capsule::step::Context& step);

}  // namespace verify_step
