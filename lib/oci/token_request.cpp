#include "oci/token_request.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule::oci {

namespace {

constexpr std::uint64_t answer_limit = std::uint64_t{256} << 10U;
constexpr std::string_view client_id = "capsule-loop";

/// application/x-www-form-urlencoded, of which a query may be made too.
class Form {
 public:
  explicit Form(std::string text = {}) : m_text(std::move(text)) {}
  Form& add(std::string_view name, std::string_view value) {
    if (!m_text.empty()) m_text += '&';
    m_text.append(name).append("=");
    for (const char c : value) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                         c == '.' || c == '_' || c == '~';
      if (plain)
        m_text += c;
      else
        m_text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return *this;
  }
  [[nodiscard]] const std::string& text() const noexcept { return m_text; }

 private:
  std::string m_text;
};

http::Request by_get(const TokenQuestion& question, const std::optional<RegistryCredentials>& credentials) {
  Form query{question.realm.query()};
  if (!question.service.empty()) query.add("service", question.service);
  for (const auto& scope : question.scopes.texts()) query.add("scope", scope);
  http::Request out{.url = question.realm.with_path(question.realm.path(), query.text())};
  if (credentials) out.credentials = http::Credentials{"Authorization", basic_credentials(*credentials)};
  return out;
}

http::Request by_post(const TokenQuestion& question, const Secret& identity_token) {
  std::string scopes;
  for (const auto& scope : question.scopes.texts()) scopes += (scopes.empty() ? "" : " ") + scope;
  Form form;
  form.add("grant_type", "refresh_token").add("service", question.service).add("client_id", client_id);
  if (!scopes.empty()) form.add("scope", scopes);
  form.add("refresh_token", identity_token.reveal());
  return {.method = http::Method::post,
          .url = question.realm,
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = form.text()};
}

/// What the answer of a 200 holds.
Token read_token(const std::string& body, const std::string& where) {
  try {
    const auto value = json::parse(body, "a token");
    const json::Cursor top{value, "a token"};
    const auto token = top.optional("token");
    const auto access_token = top.optional("access_token");
    Token out{Secret{token && !token->string().empty() ? token->string() : top.at("access_token").string()}, {}};
    const auto lifetime = top.optional("expires_in");
    constexpr std::uint64_t longest = 365ULL * 24 * 3600;
    out.lifetime = std::chrono::seconds{lifetime ? std::min(lifetime->uint64(), longest) : 60};
    // Whatever cannot be sent in a header is no token.
    http::Headers{}.add("Authorization", out.value.reveal());
    if (!out.value.empty()) return out;
  } catch (const Error&) {
    // The reason could quote the token.
  }
  throw Error{ErrorKind::invalid_input, fmt::format("the token server {} answers with no token", where)};
}

}  // namespace

Secret basic_credentials(const RegistryCredentials& credentials) {
  if (credentials.username.find(':') != std::string::npos) {
    throw Error{ErrorKind::usage,
                fmt::format("{}: the user's name holds a colon, which Basic cannot carry", credentials.source)};
  }
  const auto text = fmt::format("{}:{}", credentials.username, credentials.password.reveal());
  return Secret{"Basic " + to_base64(as_bytes(text))};
}

Token request_token(http::Client& client, const TokenQuestion& question,
                    const std::optional<RegistryCredentials>& credentials, http::AddressClass led_from) {
  const bool by_refresh = credentials && !credentials->identity_token.empty();
  auto request = by_refresh ? by_post(question, credentials->identity_token) : by_get(question, credentials);
  request.redirects = http::Redirects::give_back;
  request.response_limit = answer_limit;
  request.led_from = led_from;
  auto response = client.send(request);
  const auto where = question.realm.loggable();
  if (response.status == 401 || response.status == 403) {
    throw Error{ErrorKind::denied,
                fmt::format("the token server {} answers {}: {}", where, response.status,
                            credentials ? fmt::format("it does not accept the credentials of {}", credentials->source)
                                        : "it gives no token to those who have no credentials")};
  }
  response.body.resize(response.status == 200 ? response.body.size() : 0);
  http::expect_success(response, "the token server");
  return read_token(response.body, where);
}

}  // namespace capsule::oci
