#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "step/registry_options.hpp"
#include "step/run.hpp"
#include "step/signer_options.hpp"

namespace verify_step {

struct Options {
  std::string capsule;
  capsule::step::SignerOptions signers;
  capsule::fs::Path store;  ///< empty: STATE/store
  std::string target;       ///< empty: what the capsule needs is not held against any machine
  std::vector<std::string> allow_unmet;
  capsule::fs::Path host_identity;  ///< empty: STATE/host-identity.json
  std::string registry;             ///< for a capsule:// URI that names none
  std::string proof;                ///< a proof bundle: a file, or its digest in the registry; empty: none
  std::string run_record;           ///< a file; empty: the registry has it
  capsule::step::RegistryOptions registries;
  capsule::fs::Path unpack;  ///< folder to unpack below; empty: nothing is written
  bool replay = false;
  std::chrono::milliseconds timeout = std::chrono::minutes{10};
  capsule::fs::Path state;

  [[nodiscard]] capsule::fs::Path state_folder() const {
    return state.empty() ? capsule::step::default_state_folder() : state;
  }
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();
/// Error usage for options that do not go together.
void check_options(const Options& options);

}  // namespace verify_step
