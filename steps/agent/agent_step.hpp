#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "step/run.hpp"

namespace agent {

struct Options {
  capsule::fs::Path root;
  capsule::fs::Path data;
  std::string data_size;
  capsule::fs::Path installed;
  std::string socket;
  std::string listen;
  std::optional<unsigned> replicas;
  std::optional<unsigned> runs;
  std::chrono::milliseconds timeout = std::chrono::minutes{10};
  std::string hook;
  std::uint16_t way_out = 0;
  bool allow_hook_network = false;
  capsule::fs::Path target;  ///< of `install`
};

void define_options(CLI::App& app, Options& options);
const capsule::step::Manual& manual();

/// Installs the capsule at `root` unless it is, keeps its waiting processes, and serves runs (service.hpp) until a
/// signal comes or its UNIX socket is taken away; on a port it answers while install.sh goes on. With `hook` it serves
/// one call of that instead (hook_service.hpp). Errors: those of install.sh; busy where another agent has the socket.
void run(const Options& options);

/// `install FILE`: install_self.hpp.
void install(const Options& options, capsule::step::Context& step);

}  // namespace agent
