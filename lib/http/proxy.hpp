#pragma once

#include <functional>
#include <optional>

#include "core/secret.hpp"
#include "core/url.hpp"

namespace capsule::http {

/// Looks up an environment variable; null where it is not set.
using Environment = std::function<const char*(const char*)>;

/// The proxy that the environment names for `url`: https_proxy, else all_proxy (upper case too); none for loopback, nor
/// for a host that no_proxy names (host, .domain, address, address block, `*`). A Secret: it may hold a password.
std::optional<Secret> proxy_for(const Url& url, const Environment& environment);

}  // namespace capsule::http
