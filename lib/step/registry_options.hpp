#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "oci/access.hpp"

namespace capsule::step {

/// How registries over HTTP may be reached, as typed: the same in every step that takes a registry.
struct RegistryOptions {
  static constexpr std::string_view ca_name = "ca.crt";
  std::vector<std::string> insecure_registries;
  std::vector<std::string> auth_hosts;
  /// PEM certificates, or a folder with a file `ca_name`; a folder without it: the system's.
  std::string ca_file;
  std::chrono::milliseconds time_limit = oci::Access{}.time_limit;

  /// Error usage for what is no HOST[:PORT].
  [[nodiscard]] std::shared_ptr<const oci::Access> access() const;
};

/// Adds --insecure-registry, --auth-host, --registry-ca and --registry-timeout.
void add_registry_options(CLI::App& app, RegistryOptions& options);

}  // namespace capsule::step
