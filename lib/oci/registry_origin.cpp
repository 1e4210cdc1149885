#include "oci/registry_origin.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>

#include "log/log.hpp"
#include "oci/registry_url.hpp"

namespace capsule::oci {

namespace {

constexpr int bad_request = 400;
/// For a machine's own server to answer in; one that speaks plain http may wait for the rest of what it takes for a
/// line.
constexpr std::chrono::seconds patience{5};

/// Whether a server speaks there; a server of https answers plain http with 400.
bool is_spoken(http::Client& client, const Url& origin) {
  const http::Request question{
      .url = origin.with_path("/v2/"), .redirects = http::Redirects::give_back, .time_limit = patience};
  return client.send(question).status != bad_request;
}

}  // namespace

Url find_registry(http::Client& client, std::string_view host, const http::HostList& plain_http) {
  auto secure = registry_base("https", host);
  auto plain = registry_base("http", host);
  if (plain_http.names(plain)) return plain;
  if (!secure.is_loopback()) return secure;
  std::exception_ptr failure;
  try {
    is_spoken(client, secure);
    log::info(fmt::format("the registry {} speaks https", host));
    return secure;
  } catch (const http::TransportError&) {
    failure = std::current_exception();
  }
  if (!is_spoken(client, plain)) std::rethrow_exception(failure);
  log::info(fmt::format("the registry {} speaks plain http", host));
  return plain;
}

}  // namespace capsule::oci
