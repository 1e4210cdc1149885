#pragma once

#include "capsule/pack.hpp"
#include "step/run.hpp"

namespace pack_step {

struct Options {
  capsule::fs::Path folder;
  std::string out;
  capsule::Compression compression = capsule::Compression::store;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Packs the folder, or finds that its package is there already, and reports it.
void run(const Options& options, capsule::step::Context& step);

}  // namespace pack_step
