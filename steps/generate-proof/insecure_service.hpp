#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "core/url.hpp"
#include "http/host_list.hpp"

namespace generate_proof {

/// --insecure-proof-service: hosts of proof services that may be spoken to over plain http.
void add_insecure_services_option(CLI::App& app, std::vector<std::string>& hosts);
/// They; a warning where `service` is asked over plain http because it is one of them. Error usage for what is no
/// HOST[:PORT].
capsule::http::HostList insecure_services(const std::vector<std::string>& hosts, const capsule::Url& service);

}  // namespace generate_proof
