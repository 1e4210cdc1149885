#pragma once

#include <string>

#include "step/run.hpp"

namespace run_step {

/// `capsule-run explain`: what an exit hook of a workflow is told.
struct Explanation {
  std::string failures;
  std::string status;
  std::string workflow;
  std::string uid;
};

void define_explain(CLI::App& app, Explanation& options);

/// Says in one line which step of a workflow failed and why; in a pod that has a token in an Event of the Workflow,
/// too.
void explain(const Explanation& options, capsule::step::Context& step);

}  // namespace run_step
