#include "oci/registry_auth.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "http/registrable_domain.hpp"
#include "oci/challenge.hpp"

namespace capsule::oci {

namespace {

constexpr int unauthorized = 401;

http::Credentials bearer(const Secret& token) {
  return {"Authorization", Secret{fmt::format("Bearer {}", token.reveal())}};
}

bool is_same(const std::optional<http::Credentials>& left, const http::Credentials& right) noexcept {
  return left && left->value.reveal() == right.value.reveal();
}

const Challenge* find(const std::vector<Challenge>& challenges, std::string_view scheme) {
  const auto found = std::find_if(challenges.begin(), challenges.end(),
                                  [&](const Challenge& challenge) { return challenge.scheme == scheme; });
  return found == challenges.end() ? nullptr : &*found;
}

std::string parameter(const std::map<std::string, std::string>& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string{} : found->second;
}

}  // namespace

bool may_be_sent_on(const Url& registry, const Url& target, const http::HostList& auth_hosts) {
  if (registry.scheme() == "https" && target.scheme() != "https") return false;
  return http::same_registrable_domain(registry.host(), target.host()) || auth_hosts.names(target);
}

RegistryLogin::RegistryLogin(Settings settings) : m_settings(std::move(settings)) {}

void RegistryLogin::require_allowed(const Url& target, std::string_view what) const {
  if (may_be_sent_on(registry(), target, m_settings.auth_hosts)) return;
  const bool is_downgrade = registry().scheme() == "https" && target.scheme() != "https";
  throw Error{ErrorKind::denied,
              fmt::format("{} names {} as its {}: {}", registry().loggable(), target.loggable(), what,
                          is_downgrade ? std::string{"that is plain http"}
                                       : fmt::format("a host that has nothing to do with it; if you trust it, say "
                                                     "--auth-host {}",
                                                     target.host()))};
}

void RegistryLogin::learn_address_class(const http::Response& response) {
  if (!response.url.same_origin(registry())) return;
  const std::lock_guard lock{m_mutex};
  m_address_class = response.address_class;
}

http::AddressClass RegistryLogin::address_class(http::Client& client) {
  const std::lock_guard lock{m_mutex};
  if (!m_address_class) {
    m_address_class =
        client.send({.url = registry().with_path("/v2/"), .redirects = http::Redirects::give_back}).address_class;
  }
  return *m_address_class;
}

const std::optional<RegistryCredentials>& RegistryLogin::who() {
  if (!m_looked_up && m_settings.credentials)
    m_credentials = m_settings.credentials->find(m_settings.host, m_settings.repository);
  m_looked_up = true;
  return m_credentials;
}

/// Without a question to anybody.
std::optional<http::Credentials> RegistryLogin::known(const Scopes& scopes) {
  if (m_basic && m_credentials) return http::Credentials{"Authorization", basic_credentials(*m_credentials)};
  if (!m_bearer) return std::nullopt;
  if (m_credentials && !m_credentials->registry_token.empty()) return bearer(m_credentials->registry_token);
  const auto now = m_settings.now();
  std::erase_if(m_tokens, [&](const HeldToken& token) { return token.good_until <= now; });
  const auto found = std::find_if(m_tokens.rbegin(), m_tokens.rend(),
                                  [&](const HeldToken& token) { return token.scopes.cover(scopes); });
  if (found == m_tokens.rend()) return std::nullopt;
  return bearer(found->value);
}

std::optional<http::Credentials> RegistryLogin::credentials_for(const Scopes& scopes, http::Client& client) {
  const std::lock_guard lock{m_mutex};
  auto out = known(scopes);
  if (out || !m_bearer) return out;
  return fetch(scopes, client);
}

http::Credentials RegistryLogin::fetch(const Scopes& scopes, http::Client& client) {
  const auto asked_at = m_settings.now();
  auto token = request_token(client, {m_bearer->realm, m_bearer->service, scopes}, who(),
                             m_address_class.value_or(http::AddressClass::public_internet));
  // A tenth of its time is left for the request that takes it.
  const auto lifetime = std::chrono::duration_cast<std::chrono::milliseconds>(token.lifetime) * 9 / 10;
  std::erase_if(m_tokens, [&](const HeldToken& held) { return scopes.cover(held.scopes); });
  m_tokens.push_back({scopes, token.value, asked_at + lifetime});
  return bearer(token.value);
}

http::Credentials RegistryLogin::answer(const http::Response& response, const Scopes& scopes,
                                        const std::optional<http::Credentials>& refused, http::Client& client) {
  const std::lock_guard lock{m_mutex};
  const auto challenges = challenges_of(response.headers);
  if (const auto* challenge = find(challenges, "bearer"))
    return answer_bearer(response, scopes, challenge->parameters, refused, client);
  if (find(challenges, "basic") != nullptr) return answer_basic(response, refused);
  throw Error{ErrorKind::denied, fmt::format("{} answers 401 Unauthorized and asks for neither Bearer nor Basic",
                                             response.url.loggable())};
}

http::Credentials RegistryLogin::answer_bearer(const http::Response& response, Scopes scopes,
                                               const std::map<std::string, std::string>& parameters,
                                               const std::optional<http::Credentials>& refused, http::Client& client) {
  std::optional<Url> realm;
  try {
    realm = Url::parse(parameter(parameters, "realm"));
  } catch (const Error&) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} answers 401 Unauthorized and names no usable token server", response.url.loggable())};
  }
  require_allowed(*realm, "token server");
  m_bearer = Bearer{*realm, parameter(parameters, "service")};
  m_basic = false;
  scopes.add(Scopes{parameter(parameters, "scope")});
  who();
  // Another thread may have fetched a token since.
  if (const auto other = known(scopes); other && !is_same(refused, *other)) return *other;
  if (m_credentials && !m_credentials->registry_token.empty()) refuse(response);
  return fetch(scopes, client);
}

http::Credentials RegistryLogin::answer_basic(const http::Response& response,
                                              const std::optional<http::Credentials>& refused) {
  m_bearer.reset();
  const auto& credentials = who();
  if (!credentials) refuse(response);
  if (credentials->password.empty()) {
    throw Error{ErrorKind::denied, fmt::format("{} asks for a user's password, {} has a token instead",
                                               response.url.loggable(), credentials->source)};
  }
  http::Credentials out{"Authorization", basic_credentials(*credentials)};
  if (is_same(refused, out)) refuse(response);
  m_basic = true;
  return out;
}

void RegistryLogin::refuse(const http::Response& response) {
  const auto said = fmt::format("{} answers 401 Unauthorized", response.url.loggable());
  if (m_credentials) {
    throw Error{ErrorKind::denied, fmt::format("{}: it does not accept the credentials of {}, or they may not do this",
                                               said, m_credentials->source)};
  }
  const auto places = m_settings.credentials ? m_settings.credentials->places() : "no file";
  throw Error{ErrorKind::denied, fmt::format("{}, and there are no credentials for {} (looked for in {}): docker login "
                                             "or podman login writes them",
                                             said, m_settings.host, places)};
}

void RegistryLogin::redact(std::string& text) {
  const std::lock_guard lock{m_mutex};
  for (const auto& token : m_tokens) capsule::redact(text, token.value.reveal());
  if (!m_credentials) return;
  for (const auto* secret : {&m_credentials->password, &m_credentials->identity_token, &m_credentials->registry_token})
    capsule::redact(text, secret->reveal());
}

AuthorizingClient::AuthorizingClient(http::Client& next, std::shared_ptr<RegistryLogin> login)
    : m_next(next), m_login(std::move(login)) {}

http::Response AuthorizingClient::send(const http::Request& request) {
  auto response = request.url.same_origin(m_login->registry()) ? send_to_registry(request) : send_elsewhere(request);
  if (response.status >= 300) m_login->redact(response.body);
  return response;
}

http::Response AuthorizingClient::send_to_registry(const http::Request& request) {
  const auto scopes = scopes_of(request);
  auto sent = request;
  sent.credentials = m_login->credentials_for(scopes, m_next);
  auto response = m_next.send(sent);
  m_login->learn_address_class(response);
  // Whoever a redirect led to has no claim to our credentials.
  const auto is_challenge = [&] {
    return response.status == unauthorized && response.url.same_origin(m_login->registry());
  };
  if (!is_challenge()) return response;
  sent.credentials = m_login->answer(response, scopes, sent.credentials, m_next);
  response = m_next.send(sent);
  if (is_challenge()) m_login->refuse(response);
  return response;
}

http::Response AuthorizingClient::send_elsewhere(const http::Request& request) {
  m_login->require_allowed(request.url, "place to go on");
  auto sent = request;
  sent.credentials.reset();
  sent.led_from = m_login->address_class(m_next);
  return m_next.send(sent);
}

}  // namespace capsule::oci
