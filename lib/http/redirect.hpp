#pragma once

#include "http/client.hpp"
#include "http/host_list.hpp"

namespace capsule::http {

constexpr int max_redirects = 5;

/// Whether a response sends on to elsewhere: 301, 302, 303, 307, 308.
bool is_redirect(int status) noexcept;

/// Plain http is for loopback, and for the hosts that were named for it: Error usage for any other.
void check_scheme(const Url& url, const HostList& plain_http = {});

/// The request that a redirect asks for. `followed` = how many were followed before. Error invalid_input: one too many,
/// no or a bad Location; denied: from https to http, to http elsewhere than check_scheme has it, or a body that would
/// go to another origin.
Request redirected(const Request& request, const Response& response, int followed, const HostList& plain_http = {});

}  // namespace capsule::http
