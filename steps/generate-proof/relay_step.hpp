#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "step/run.hpp"

namespace generate_proof {

/// `relay`: the way from a hook to the proof service as a program of its own, in the hook's pod.
struct RelayOptions {
  std::string listen;
  std::string status;
  std::string proof_service;
  std::vector<std::string> insecure_services;
  std::string api_key_file;
  std::string proof_hash;
  std::string utid;
  std::string proof_id;
};

void define_relay(CLI::App& app, RelayOptions& options);

/// Serves until a signal comes: the hook on `listen` (relay.hpp); on `status` GET /readyz, and GET /failure, which
/// answers {failure: null or {kind, message}}: why the service did not do what was asked last.
void run_relay(const RelayOptions& options);

}  // namespace generate_proof
