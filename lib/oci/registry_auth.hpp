#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/url.hpp"
#include "http/client.hpp"
#include "http/host_list.hpp"
#include "oci/credentials.hpp"
#include "oci/token_request.hpp"
#include "oci/token_scope.hpp"

namespace capsule::oci {

/// Whether a registry may send its client on to `target` with a body or with its user's password (an upload's Location,
/// a token realm): to the same host, to one in the same registered domain (docker.io has auth.docker.io), or to one
/// that the user named (--auth-host); never from https to http.
bool may_be_sent_on(const Url& registry, const Url& target, const http::HostList& auth_hosts);

/// Who we are for one registry: its way of logging in, the credentials, the tokens. Shared by all clients of it, in
/// whatever thread.
class RegistryLogin {
 public:
  struct Settings {
    Url registry;            ///< where its API is: scheme, host and port count
    std::string host;        ///< HOST[:PORT] as the user wrote it, under which credentials are kept
    std::string repository;  ///< the repository or the part of its name that is known
    std::shared_ptr<CredentialsSource> credentials;  ///< null: we are nobody
    http::HostList auth_hosts{};
    std::function<std::chrono::steady_clock::time_point()> now = [] { return std::chrono::steady_clock::now(); };
  };
  explicit RegistryLogin(Settings settings);

  [[nodiscard]] const Url& registry() const noexcept { return m_settings.registry; }
  /// Error denied unless may_be_sent_on() the URL.
  void require_allowed(const Url& target, std::string_view what) const;
  /// Where the registry is; asks `GET /v2/` if no answer has come yet.
  http::AddressClass address_class(http::Client& client);
  void learn_address_class(const http::Response& response);

  /// What to send with a request that needs `scopes`; nothing where the registry has asked for nothing yet. A token
  /// that is missing or about to expire is fetched.
  std::optional<http::Credentials> credentials_for(const Scopes& scopes, http::Client& client);
  /// What to send after a 401 to `refused`. Error denied, with what to do, where nothing else is to be had.
  http::Credentials answer(const http::Response& response, const Scopes& scopes,
                           const std::optional<http::Credentials>& refused, http::Client& client);
  /// The Error denied of a 401 to credentials that were good a moment ago.
  [[noreturn]] void refuse(const http::Response& response);
  /// Takes secrets of ours out of what a registry says.
  void redact(std::string& text);

 private:
  struct HeldToken {
    Scopes scopes;
    Secret value;
    std::chrono::steady_clock::time_point good_until;
  };
  struct Bearer {
    Url realm;
    std::string service;
  };

  const std::optional<RegistryCredentials>& who();
  std::optional<http::Credentials> known(const Scopes& scopes);
  http::Credentials fetch(const Scopes& scopes, http::Client& client);
  http::Credentials answer_bearer(const http::Response& response, Scopes scopes,
                                  const std::map<std::string, std::string>& parameters,
                                  const std::optional<http::Credentials>& refused, http::Client& client);
  http::Credentials answer_basic(const http::Response& response, const std::optional<http::Credentials>& refused);

  const Settings m_settings;
  std::mutex m_mutex;  ///< of all that follows
  bool m_looked_up = false;
  std::optional<RegistryCredentials> m_credentials;
  std::optional<http::AddressClass> m_address_class;
  std::optional<Bearer> m_bearer;
  bool m_basic = false;
  std::vector<HeldToken> m_tokens;  ///< the newest last
};

/// Logs in where a registry asks for it: answers the challenge of a 401, once per request, and sends what served
/// before. A request to another origin than the registry's (an upload's Location) goes without credentials, and only
/// where may_be_sent_on() allows (Error denied). A 401 that stays is Error denied with what to do; so is that to a
/// mount whose source may not be read: then the blob has to be sent.
///
/// A streamed body is opened again for the second try; whoever cannot, lets a small request go first.
class AuthorizingClient final : public http::Client {
 public:
  AuthorizingClient(http::Client& next, std::shared_ptr<RegistryLogin> login);
  http::Response send(const http::Request& request) override;

 private:
  http::Response send_to_registry(const http::Request& request);
  http::Response send_elsewhere(const http::Request& request);

  http::Client& m_next;
  std::shared_ptr<RegistryLogin> m_login;
};

}  // namespace capsule::oci
