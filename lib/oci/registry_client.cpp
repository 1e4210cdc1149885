#include "oci/registry_client.hpp"

#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>

#include "http/curl_client.hpp"
#include "http/retry.hpp"
#include "oci/credential_helper.hpp"
#include "oci/docker_config.hpp"
#include "oci/registry_auth.hpp"
#include "oci/registry_origin.hpp"

namespace capsule::oci {

namespace {

http::CurlLimits limits_of(const Access& access) {
  http::CurlLimits out;
  out.stall_time = std::chrono::ceil<std::chrono::seconds>(access.time_limit);
  out.plain_http = access.insecure_registries;
  out.ca_file = access.ca_file;
  return out;
}

/// What a request goes through, outermost first: logging in, retries, the network.
class RegistryClient final : public http::Client {
 public:
  RegistryClient(const Access& access, int attempts, std::shared_ptr<RegistryLogin> login)
      : m_curl(limits_of(access)),
        m_retrying(m_curl, {.backoff = {.attempts = attempts}, .total = access.time_limit}),
        m_authorizing(m_retrying, std::move(login)) {}

  http::Response send(const http::Request& request) override { return m_authorizing.send(request); }

 private:
  http::CurlClient m_curl;
  http::RetryingClient m_retrying;
  AuthorizingClient m_authorizing;
};

std::shared_ptr<CredentialsSource> stored_credentials() {
  const auto environment = [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  };
  return std::make_shared<DockerConfig>(credentials_files(environment), ask_credential_helper);
}

}  // namespace

class RegistrySessions {
 public:
  /// The login at the registry of `location` for `repository`.
  std::shared_ptr<RegistryLogin> login(const RegistryLocation& location, std::string_view repository) {
    const std::lock_guard lock{m_mutex};
    const auto host = location.host();
    auto& known = m_logins[host + "/" + std::string{repository}];
    if (!known) {
      known = std::make_shared<RegistryLogin>(RegistryLogin::Settings{base_of(location.access(), host), host,
                                                                      std::string{repository}, m_credentials,
                                                                      location.access().auth_hosts});
    }
    return known;
  }

 private:
  const Url& base_of(const Access& access, const std::string& host) {
    const auto known = m_bases.find(host);
    if (known != m_bases.end()) return known->second;
    http::CurlClient probe{limits_of(access)};
    return m_bases.emplace(host, find_registry(probe, host, access.insecure_registries)).first->second;
  }

  std::mutex m_mutex;
  std::shared_ptr<CredentialsSource> m_credentials = stored_credentials();
  std::map<std::string, Url> m_bases;
  std::map<std::string, std::shared_ptr<RegistryLogin>> m_logins;
};

std::shared_ptr<RegistrySessions> make_registry_sessions() {
  return std::make_shared<RegistrySessions>();
}

Registry reach(const RegistryLocation& location, std::string_view repository) {
  auto login = location.access().sessions->login(location, repository);
  const auto connect = [access = location.access(), login](int attempts) {
    return [=] { return std::make_unique<RegistryClient>(access, attempts, login); };
  };
  return {login->registry(), connect(BackoffPolicy{}.attempts), connect(1)};
}

}  // namespace capsule::oci
