// Any bytes as what a registry and its token server answer: up to the first empty line challenges (one a line), then
// the token server's body. Nothing but the registry and what belongs to it is asked, and our password stays with them.

#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "oci/registry_auth.hpp"

using namespace capsule;

namespace {

constexpr std::string_view password = "s3cret-of-ours";

class Known final : public oci::CredentialsSource {
 public:
  std::optional<oci::RegistryCredentials> find(std::string_view, std::string_view) override {
    return oci::RegistryCredentials{"user", Secret{std::string{password}}, {}, {}, "config.json"};
  }
  std::string places() const override { return "config.json"; }
};

/// The registry refuses whoever has no token; every other host is its token server.
class Answering final : public http::Client {
 public:
  Answering(const Url& registry, http::Headers challenges, std::string token)
      : m_registry(registry), m_challenges(std::move(challenges)), m_token(std::move(token)) {}

  http::Response send(const http::Request& request) override {
    const bool at_registry = request.url.same_origin(m_registry);
    if (!oci::may_be_sent_on(m_registry, request.url, {})) std::abort();
    if (!at_registry || request.url.path() == "/token") return {200, {}, m_token, request.url};
    if (!request.credentials) return {401, m_challenges, {}, request.url};
    return {400, {}, std::string{password}, request.url};
  }

 private:
  const Url& m_registry;
  http::Headers m_challenges;
  std::string m_token;
};

void require_secret_kept(std::string_view text) {
  if (text.find(password) != std::string_view::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto end = std::min(text.find("\n\n"), text.size());
  // A registry that knows our password can name a host by it.
  if (text.substr(0, end).find(password) != std::string_view::npos) return 0;
  http::Headers challenges;
  for (auto rest = text.substr(0, end); !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    try {
      challenges.add("WWW-Authenticate", line);
    } catch (const Error&) {
      return 0;  // no client hands it on
    }
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  const auto registry = Url::parse("https://registry.example.com/");
  Answering network{registry, challenges, std::string{text.substr(std::min(end + 2, text.size()))}};
  oci::AuthorizingClient client{network, std::make_shared<oci::RegistryLogin>(oci::RegistryLogin::Settings{
                                             registry, "registry.example.com", "a/b", std::make_shared<Known>()})};
  for (const char* path : {"/v2/a/b/manifests/1", "/v2/a/b/tags/list"}) {
    try {
      require_secret_kept(client.send({.url = registry.with_path(path)}).body);
    } catch (const Error& error) {
      require_secret_kept(error.message());
    }
  }
  return 0;
}
