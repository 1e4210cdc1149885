#pragma once

#include <string_view>

#include "core/url.hpp"
#include "http/client.hpp"
#include "http/host_list.hpp"

namespace capsule::oci {

/// Where the API of the registry HOST[:PORT] is, as `https://HOST[:PORT]/`: plain http where `plain_http` names the
/// host
/// (--insecure-registry). On loopback https is tried, then http, and a line on stderr says which it is; `client` must
/// not try again by itself. docker.io is registry-1.docker.io. Error usage for what is no HOST[:PORT]; on loopback also
/// those of http::Client.
Url find_registry(http::Client& client, std::string_view host, const http::HostList& plain_http);

}  // namespace capsule::oci
