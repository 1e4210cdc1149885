#pragma once

#include <functional>
#include <memory>

#include "core/url.hpp"
#include "http/client.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

/// Makes a client; each is for one thread at a time.
using Connect = std::function<std::unique_ptr<http::Client>()>;

/// A registry over HTTP: where its API is, and clients that speak to it by the rules of its Access: they log in where
/// they are asked to (AuthorizingClient), and try again.
struct Registry {
  Url base;
  Connect connect;
  Connect connect_once;  ///< without retries: for whoever knows better where to go on
};

/// The registry that `location`, no layout, names; `repository` is the one there (or the part of its name that is
/// known) for which credentials are looked up. On loopback it is asked whether it speaks https (find_registry).
Registry reach(const RegistryLocation& location, std::string_view repository);

}  // namespace capsule::oci
