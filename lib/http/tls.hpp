#pragma once

#include "http/curl_client.hpp"
#include "http/easy.hpp"

namespace capsule::http {

/// TLS 1.2 or later, verified always: whom to trust and who we are, as `limits` say. Error usage for bytes that are no
/// certificate comes with the exchange.
void set_trust(CURL* easy, const CurlLimits& limits);

/// Where the server's certificate has to be for another name than the URL's host (CurlLimits::server_name): asks for
/// that name, yet connects to the URL's host and says so in Host. `connect_to` has to outlive the exchange.
void set_server_name(CURL* easy, const Url& url, const std::string& server_name, List& headers, List& connect_to);

}  // namespace capsule::http
