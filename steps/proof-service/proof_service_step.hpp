#pragma once

#include <string>

#include "fs/fd.hpp"
#include "step/run.hpp"

namespace proof_service {

struct Options {
  std::string listen = "127.0.0.1:0";
  capsule::fs::Path database;
  std::string api_key_file;
  double rate = 500;  ///< requests per second and client address
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Serves until a signal ends the process. The first line on stdout says where.
void run(const Options& options);

}  // namespace proof_service
