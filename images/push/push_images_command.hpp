#pragma once

#include <string>

#include "fs/fd.hpp"
#include "step/registry_options.hpp"
#include "step/run.hpp"

namespace push_images {

struct Options {
  capsule::fs::Path layout;
  std::string registry;
  capsule::step::RegistryOptions registries;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();
void run(const Options& options, capsule::step::Context& step);

}  // namespace push_images
