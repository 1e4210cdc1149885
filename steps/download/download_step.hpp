#pragma once

#include "download.hpp"
#include "step/run.hpp"

namespace download {

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Downloads over a real client, and reports what came.
void run(const Options& options, capsule::step::Context& step);

}  // namespace download
