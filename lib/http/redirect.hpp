#pragma once

#include "http/client.hpp"

namespace capsule::http {

constexpr int max_redirects = 5;

/// Whether a response sends on to elsewhere: 301, 302, 303, 307, 308.
bool is_redirect(int status) noexcept;

/// Plain http is for loopback alone: Error usage for any other host.
void check_scheme(const Url& url);

/// The request that a redirect asks for. `followed` = how many were followed before. Error invalid_input: one too many,
/// no or a bad Location; denied: from https to http, or a body that would go to another origin.
Request redirected(const Request& request, const Response& response, int followed);

}  // namespace capsule::http
