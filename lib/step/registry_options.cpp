#include "step/registry_options.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "step/values.hpp"

namespace capsule::step {

namespace {

http::HostList hosts_of(std::string_view option, const std::vector<std::string>& typed) {
  return with_trace(option, [&] { return http::HostList{typed}; });
}

/// Of a folder the one file in it, if it is there: a ConfigMap that is optional is mounted as an empty folder.
std::string ca_file_of(const std::string& typed) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(typed, ignored)) return typed;
  const auto file = std::filesystem::path{typed} / RegistryOptions::ca_name;
  return std::filesystem::exists(file, ignored) ? file.string() : std::string{};
}

}  // namespace

std::shared_ptr<const oci::Access> RegistryOptions::access() const {
  auto out = std::make_shared<oci::Access>();
  out->insecure_registries = hosts_of("--insecure-registry", insecure_registries);
  out->auth_hosts = hosts_of("--auth-host", auth_hosts);
  out->ca_file = ca_file_of(ca_file);
  out->time_limit = time_limit;
  return out;
}

void add_registry_options(CLI::App& app, RegistryOptions& options) {
  app.add_option(
         "--insecure-registry", options.insecure_registries,
         "A registry that may be spoken to over plain http; repeatable, or separated by commas [loopback alone]")
      ->delimiter(',')
      ->type_name("HOST[:PORT]");
  app.add_option("--auth-host", options.auth_hosts,
                 "A host beyond the registry's own domain that its tokens may come from and uploads go to; repeatable, "
                 "or separated by commas")
      ->delimiter(',')
      ->type_name("HOST[:PORT]");
  app.add_option("--registry-ca", options.ca_file,
                 "Certificates (PEM) to trust for registries; of a folder its ca.crt, if it has one [the system's]")
      ->type_name("PATH");
  add_duration(app, "--registry-timeout", options.time_limit,
               "How long a registry may be silent or unavailable before a transfer is given up [30s]");
}

}  // namespace capsule::step
