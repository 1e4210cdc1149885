#pragma once

#include <string>

#include "fs/fd.hpp"
#include "step/registry_options.hpp"
#include "step/run.hpp"
#include "step/signer_options.hpp"

namespace publish {

struct Options {
  std::string capsule;
  std::string registry;
  capsule::step::SignerOptions signers;
  capsule::fs::Path store;  ///< empty: STATE/store
  capsule::step::RegistryOptions registries;
  capsule::fs::Path state;
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();
void run(const Options& options, capsule::step::Context& step);

}  // namespace publish
