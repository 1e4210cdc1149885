#pragma once

#include <string>
#include <vector>

#include "explain.hpp"
#include "step/run.hpp"

namespace run_step {

struct Options {
  std::string file;
  std::vector<std::string> parameters;
  std::string parameter_file;
  std::string config;
  std::string templates;
  std::vector<std::string> passed_on;
  capsule::fs::Path state;
  bool resume = false;
  bool fresh = false;
  Explanation explanation;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Runs the workflow of a file on this machine, each step as a process of its own.
void run(const Options& options, capsule::step::Context& step);

}  // namespace run_step
