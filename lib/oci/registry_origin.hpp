#pragma once

#include <string_view>

#include "core/url.hpp"
#include "http/client.hpp"
#include "http/host_list.hpp"

namespace capsule::oci {

/// Where the API of the registry HOST[:PORT] is: plain http where `plain_http` names the host (--insecure-registry),
/// else https. On loopback https is tried, then http, and a line on stderr says which it is; `client` must not try
/// again by itself; then the errors of http::Client.
Url find_registry(http::Client& client, std::string_view host, const http::HostList& plain_http);

}  // namespace capsule::oci
