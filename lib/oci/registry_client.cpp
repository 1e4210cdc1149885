#include "oci/registry_client.hpp"

#include <chrono>

#include "http/curl_client.hpp"
#include "http/retry.hpp"
#include "oci/registry_url.hpp"

namespace capsule::oci {

namespace {

/// What a request goes through, outermost first: retries, the network.
class RegistryClient final : public http::Client {
 public:
  explicit RegistryClient(const Access& access)
      : m_curl({.stall_time = std::chrono::ceil<std::chrono::seconds>(access.time_limit),
                .plain_http = access.insecure_registries,
                .ca_file = access.ca_file}),
        m_retrying(m_curl, {.total = access.time_limit}) {}

  http::Response send(const http::Request& request) override { return m_retrying.send(request); }

 private:
  http::CurlClient m_curl;
  http::RetryingClient m_retrying;
};

Url base_of(const RegistryLocation& location) {
  const auto plain = registry_base("http", location.host());
  const auto tls = registry_base("https", location.host());
  return location.access().insecure_registries.names(tls) || tls.is_loopback() ? plain : tls;
}

}  // namespace

Registry reach(const RegistryLocation& location) {
  return {base_of(location), [access = location.access()] { return std::make_unique<RegistryClient>(access); }};
}

}  // namespace capsule::oci
