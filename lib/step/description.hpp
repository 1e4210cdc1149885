#pragma once

#include <CLI/CLI.hpp>

#include "step/run.hpp"

namespace capsule::step {

/// Adds --completion SHELL and --man-page, which installing needs and hardly any user: the help does not list them.
/// Like --version they end the parsing with what is to be printed.
void add_descriptions(CLI::App& app, const Manual& manual);

}  // namespace capsule::step
