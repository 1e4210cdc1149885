#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/registry_auth.hpp"
#include "support/fake_http_client.hpp"

namespace capsule::test {

using http::AddressClass;
using http::Method;

inline constexpr const char* bearer_challenge =
    R"(Bearer realm="https://auth.example.com/token?x=1",service="registry.example.com",scope="repository:a/b:pull")";

class FixedCredentials final : public oci::CredentialsSource {
 public:
  explicit FixedCredentials(std::optional<oci::RegistryCredentials> found) : m_found(std::move(found)) {}
  std::optional<oci::RegistryCredentials> find(std::string_view host, std::string_view repository) override {
    asked.push_back(std::string{host} + " " + std::string{repository});
    return m_found;
  }
  std::string places() const override { return "/h/.docker/config.json"; }
  std::vector<std::string> asked;

 private:
  std::optional<oci::RegistryCredentials> m_found;
};

inline oci::RegistryCredentials password() {
  return {"user", Secret{"s3cret-password"}, {}, {}, "/h/config.json"};
}

/// A registry, who we are there, and a clock.
struct World {
  explicit World(std::optional<oci::RegistryCredentials> who = password(),
                 const char* registry = "https://registry.example.com", http::HostList auth_hosts = {})
      : source(std::make_shared<FixedCredentials>(std::move(who))),
        base(Url::parse(registry)),
        client(network,
               std::make_shared<oci::RegistryLogin>(oci::RegistryLogin::Settings{
                   base, "registry.example.com", "a/b", source, std::move(auth_hosts), [this] { return now; }})) {}

  http::Response send(Method method, const std::string& path) {
    return client.send({.method = method, .url = base.with_path(path.substr(0, path.find('?')), query_of(path))});
  }
  static std::string query_of(const std::string& path) {
    const auto at = path.find('?');
    return at == std::string::npos ? "" : path.substr(at + 1);
  }
  void challenge(const char* challenge = bearer_challenge) {
    network.answer(401, R"({"errors":[{"code":"UNAUTHORIZED"}]})", {{"WWW-Authenticate", challenge}});
  }
  void give_token(const std::string& token, const std::string& more = "") {
    network.answer(200, R"({"token":")" + token + "\"" + more + "}");
  }
  /// What was sent as Authorization with request number `at`.
  std::string sent(std::size_t at) const {
    const auto& credentials = network.seen().at(at).credentials;
    return credentials ? std::string{credentials->value.reveal()} : "-";
  }
  std::string asked(std::size_t at) const { return network.seen().at(at).url.text(); }

  FakeHttpClient network;
  std::shared_ptr<FixedCredentials> source;
  std::chrono::steady_clock::time_point now{};
  Url base;
  oci::AuthorizingClient client;
};

inline std::string refusal(const std::function<void()>& work, ErrorKind kind) {
  try {
    work();
  } catch (const Error& error) {
    CAPTURE(error.message());
    CHECK(error.kind() == kind);
    CHECK(error.message().find("s3cret") == std::string::npos);
    return error.message();
  }
  FAIL("it was let through");
  return {};
}

inline bool holds(const std::string& text, const char* part) {
  CAPTURE(text, part);
  return text.find(part) != std::string::npos;
}

}  // namespace capsule::test
