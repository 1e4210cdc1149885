#pragma once

#include <functional>
#include <memory>

#include "core/url.hpp"
#include "http/client.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

/// Makes a client; each is for one thread at a time.
using Connect = std::function<std::unique_ptr<http::Client>()>;

/// A registry over HTTP: where its API is, and clients that speak to it by the rules of its Access (retries included).
struct Registry {
  Url base;
  Connect connect;
};

/// The registry that `location`, no layout, names. Nothing is sent yet.
Registry reach(const RegistryLocation& location);

}  // namespace capsule::oci
