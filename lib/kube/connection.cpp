#include "kube/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/time.hpp"
#include "crypto/certificate.hpp"
#include "kube/status.hpp"

namespace capsule::kube {

namespace {

bool same_certificate(const Credentials& left, const Credentials& right) {
  return left.certificate == right.certificate && left.key.reveal() == right.key.reveal();
}

bool same(const Credentials& left, const Credentials& right) {
  return left.token.reveal() == right.token.reveal() && same_certificate(left, right);
}

/// The apiserver (1.34) answers 500 to an apply with a field that the schema lacks; trying again would change nothing.
bool is_bad_apply(const http::Response& response) {
  return response.status == 500 &&
         status_of(response).message.find("failed to create typed patch object") != std::string::npos;
}

std::string without_end_slash(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path;
}

/// The apiserver says of a certificate that it is too old no more than 401.
std::string hint_at_validity(const Credentials& credentials) {
  const auto validity = crypto::validity_of_first(credentials.certificate);
  if (!validity) return {};
  if (now() > validity->until) return fmt::format(", whose certificate ended on {}", format_time(validity->until));
  if (now() < validity->from) return fmt::format(", whose certificate begins on {}", format_time(validity->from));
  return {};
}

}  // namespace

http::Timer calling(http::Timer timer, std::function<void()> on_wait) {
  if (!on_wait) return timer;
  timer.sleep = [sleep = timer.sleep, on_wait = std::move(on_wait)](std::chrono::milliseconds delay) {
    constexpr std::chrono::milliseconds piece{1000};
    for (; delay.count() > 0; delay -= std::min(delay, piece)) {
      sleep(std::min(delay, piece));
      on_wait();
    }
  };
  return timer;
}

/// Counts what goes out, and owns the client below.
class Connection::Counting final : public http::Client {
 public:
  Counting(std::unique_ptr<http::Client> next, std::uint64_t& count) : m_next(std::move(next)), m_count(count) {}
  http::Response send(const http::Request& request) override {
    ++m_count;
    auto response = m_next->send(request);
    if (is_bad_apply(response)) response.status = 422;
    return response;
  }

 private:
  std::unique_ptr<http::Client> m_next;
  std::uint64_t& m_count;
};

Connection::Connection(Config config, ConnectionOptions options)
    : m_config(std::move(config)), m_options(std::move(options)) {}

Connection::~Connection() = default;

http::Request Connection::request_of(const Call& call, const Credentials& credentials) const {
  http::Request out{
      .method = call.method,
      .url = m_config.server.with_path(without_end_slash(m_config.server.path()) + call.path, call.query)};
  out.headers.add("Accept", "application/json");
  if (!call.content_type.empty()) out.headers.add("Content-Type", call.content_type);
  for (const auto& [name, value] : m_config.impersonation) out.headers.add(name, value);
  out.body = call.body;
  if (!credentials.token.empty())
    out.credentials = {"Authorization", Secret{fmt::format("Bearer {}", credentials.token.reveal())}};
  out.redirects = http::Redirects::give_back;
  out.time_limit = call.limit.count() == 0 ? m_options.limit : call.limit;
  out.response_limit = call.answer_limit;
  out.on_wait = call.on_wait;
  out.idempotent = call.idempotent;
  out.is_final = call.is_final;
  return out;
}

std::unique_ptr<Connection::Counting> Connection::make_http(const Credentials& credentials) {
  http::CurlLimits limits;
  limits.ca_certificates = m_config.ca_certificates;
  if (!credentials.certificate.empty())
    limits.client_certificate = http::ClientCertificate{credentials.certificate, credentials.key};
  limits.server_name = m_config.tls_server_name;
  limits.proxy = m_config.proxy;
  if (limits.proxy) limits.proxy_origin = fmt::format("proxy-url in {}", m_config.source);
  limits.trust_advice = fmt::format("certificate-authority says which certificates to trust: {}", m_config.source);
  auto next = m_options.make_http ? m_options.make_http(limits) : std::make_unique<http::CurlClient>(std::move(limits));
  return std::make_unique<Counting>(std::move(next), m_requests);
}

std::optional<Credentials> Connection::others_than(const Credentials& refused) {
  if (!m_config.credentials->renew()) return std::nullopt;
  auto out = m_config.credentials->current();
  return same(out, refused) ? std::nullopt : std::optional{std::move(out)};
}

http::Response Connection::exchange(const Call& call) {
  const auto ask = [&](const Credentials& credentials) {
    // Taken out for as long as it is at work: a call from within `on_wait` has one of its own.
    auto http = m_http && same_certificate(credentials, m_in_use) ? std::move(m_http) : make_http(credentials);
    http::RetryingClient retrying{*http, m_options.retry, calling(m_options.timer, call.on_wait)};
    http::Client& client = call.once ? static_cast<http::Client&>(*http) : retrying;
    auto response =
        with_trace(fmt::format("cannot {}", call.what), [&] { return client.send(request_of(call, credentials)); });
    m_http = std::move(http);
    m_in_use = credentials;
    return response;
  };
  const auto credentials = m_config.credentials->current();
  auto response = ask(credentials);
  if (response.status != 401) return response;
  const auto others = others_than(credentials);
  if (others) response = ask(*others);
  if (response.status == 401) {
    const auto account = m_config.account + hint_at_validity(others ? *others : credentials);
    throw api_error(status_of(response), call.what, account);
  }
  return response;
}

http::Response Connection::send(const Call& call) {
  auto response = exchange(call);
  if (response.status < 200 || response.status > 299) throw api_error(status_of(response), call.what, m_config.account);
  return response;
}

void Connection::stream(const Call& call, Sink& sink) {
  const auto ask = [&](const Credentials& credentials) {
    auto request = request_of(call, credentials);
    request.may_be_silent = true;
    request.response_limit = std::numeric_limits<std::uint64_t>::max();
    request.open_sink = [&](const http::Head&) -> Sink& { return sink; };
    return make_http(credentials)->send(request);
  };
  const auto credentials = m_config.credentials->current();
  auto response = ask(credentials);
  if (response.status == 401) {
    if (const auto others = others_than(credentials)) response = ask(*others);
  }
  if (response.status < 200 || response.status > 299) throw api_error(status_of(response), call.what, m_config.account);
}

}  // namespace capsule::kube
