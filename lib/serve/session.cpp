#include "serve/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "core/error.hpp"
#include "log/log.hpp"

namespace capsule::serve {

namespace {

/// How long what a refused client still sends is read and dropped, at most as much as a body may have, so that it sees
/// the answer instead of a reset.
constexpr std::chrono::seconds linger_time{1};

Request to_request(http::request<http::string_body> message, Target target, std::string peer) {
  Request request{
      std::string{message.method_string()}, std::move(target), {}, std::move(message.body()), std::move(peer)};
  for (const auto& field : message) {
    std::string name{field.name_string()};
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    request.headers.emplace_back(std::move(name), field.value());
  }
  return request;
}

/// What the head leaves open: where the body ends (RFC 9112 section 6.3), or for whom the request is (section 3.2). A
/// proxy before us might read it otherwise, and what follows would be another request to it than to us.
std::optional<Response> refusal_of_head(const http::request<http::string_body>& head) {
  const auto codings = head.count(http::field::transfer_encoding);
  if (codings > 1 || (codings == 1 && !beast::iequals(head[http::field::transfer_encoding], "chunked")))
    return refusal(400, "Transfer-Encoding other than chunked");
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() >= 11)) return refusal(400, "One Host header is wanted");
  return std::nullopt;
}

std::optional<Response> refusal_of(const error_code& error) {
  if (error == http::error::header_limit) return refusal(431, "Request header fields too large");
  if (error == http::error::body_limit) return refusal(413, "Request body too large");
  // What is left in the http category is a malformed message; all else is the connection's end.
  if (error.category() == make_error_code(http::error::end_of_stream).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return refusal(400, "Malformed request");
  }
  return std::nullopt;
}

}  // namespace

Response too_many(std::chrono::milliseconds wait, int status, std::string_view detail) {
  auto response = refusal(status, detail);
  response.headers.emplace_back("Retry-After",
                                fmt::format("{}", std::max<std::int64_t>(1, (wait.count() + 999) / 1000)));
  return response;
}

Session::Session(Any::socket socket, Shared& shared, std::string peer)
    : m_stream(std::move(socket)),
      m_shared(shared),
      m_peer(std::move(peer)),
      m_place(shared.sessions.insert(shared.sessions.end(), this)) {}

Session::~Session() {
  leave_large();
  m_shared.sessions.erase(m_place);
}

/// Its reading ends with an error, and with that its life.
void Session::drop() {
  m_waits_since.reset();
  m_stream.close();
}

void Session::read_head() {
  leave_large();
  m_waits_since = Clock::now();
  m_shared.sessions.splice(m_shared.sessions.end(), m_shared.sessions, m_place);
  m_parser.emplace();
  m_parser->header_limit(static_cast<std::uint32_t>(m_shared.limits.header_bytes));
  m_parser->body_limit(m_shared.limits.body_bytes);
  m_stream.expires_after(m_shared.limits.idle_time);
  http::async_read_header(m_stream, m_buffer, *m_parser,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_head(error); });
}

void Session::on_head(error_code error) {
  if (error) return on_read_error(error);
  m_stream.expires_after(m_shared.limits.body_time);
  if (auto refused = refusal_of_head(m_parser->get())) return send(std::move(*refused), After::close);
  if (auto refused = refuse_body()) return send(std::move(*refused), After::close);
  if (beast::iequals(m_parser->get()[http::field::expect], "100-continue")) return invite_body();
  read_body();
}

/// Before it is read: what waits for its body on many connections together takes memory.
std::optional<Response> Session::refuse_body() {
  const auto& limits = m_shared.limits;
  const auto length = m_parser->content_length();
  if (length ? *length <= limits.large_body_bytes : !m_parser->chunked()) return std::nullopt;
  const auto& head = m_parser->get();
  const auto target = parse_target({head.target().data(), head.target().size()});
  if (!target || (limits.takes_large && !limits.takes_large(target->path))) {
    m_parser->body_limit(limits.large_body_bytes);
    return length ? refusal_of(http::error::body_limit) : std::nullopt;
  }
  if (m_shared.large_bodies >= limits.large_bodies)
    return too_many(std::chrono::seconds{1}, 503, "Too many large bodies");
  ++m_shared.large_bodies;
  m_has_large = true;
  return std::nullopt;
}

void Session::leave_large() noexcept {
  if (m_has_large) --m_shared.large_bodies;
  m_has_large = false;
}

void Session::invite_body() {
  m_invitation = http::response<http::empty_body>{http::status::continue_, 11};
  http::async_write(m_stream, m_invitation, [self = shared_from_this()](error_code error, std::size_t) {
    if (!error) self->read_body();
  });
}

void Session::read_body() {
  http::async_read(m_stream, m_buffer, *m_parser, [self = shared_from_this()](error_code error, std::size_t) {
    if (error) return self->on_read_error(error);
    self->on_request();
  });
}

void Session::on_read_error(const error_code& error) {
  if (auto answer = refusal_of(error)) send(std::move(*answer), After::close);
}

void Session::on_request() {
  m_waits_since.reset();
  auto message = m_parser->release();
  m_keep = message.keep_alive() && !m_shared.stopping;
  m_head_only = message.method() == http::verb::head;
  const std::string_view text{message.target().data(), message.target().size()};
  auto target = parse_target(text);
  if (!target) return send(refusal(400, "Malformed target"), After::keep);
  if (const auto wait = m_shared.rate.refuse(m_peer, RateLimit::Clock::now())) {
    return send(too_many(*wait, 429, "Too many requests"), After::keep);
  }
  ++m_shared.in_progress;
  asio::post(m_shared.workers, [self = shared_from_this(),
                                request = to_request(std::move(message), std::move(*target), m_peer)]() mutable {
    auto response = self->answer(request);
    auto& io = self->m_shared.io;
    // The last owner must be on the I/O thread, so the ownership goes back with the response.
    asio::post(io, [self = std::move(self), response = std::move(response)]() mutable {
      self->m_counted = true;
      self->send(std::move(response), After::keep);
    });
  });
}

/// On a worker thread.
Response Session::answer(const Request& request) const {
  try {
    return m_shared.handler(request);
  } catch (const std::exception& error) {
    log::error(fmt::format("{} {}: {}", printable(request.method), printable(request.target.path), error.what()));
    return refusal(500, "Internal Server Error");
  }
}

void Session::send(Response response, After after) {
  m_waits_since.reset();
  m_response = {static_cast<http::status>(response.status), 11, std::move(response.body)};
  m_response.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) m_response.set(name, value);
  m_keep = m_keep && after == After::keep && !m_shared.stopping;
  m_response.keep_alive(m_keep);
  m_response.content_length(m_response.body().size());
  if (m_head_only) m_response.body().clear();
  m_stream.expires_after(m_shared.limits.body_time);
  http::async_write(m_stream, m_response,
                    [self = shared_from_this()](error_code error, std::size_t) { self->on_sent(error); });
}

void Session::on_sent(const error_code& error) {
  if (m_counted) {
    m_counted = false;
    --m_shared.in_progress;
    if (m_shared.stopping && m_shared.in_progress == 0) m_shared.on_idle();
  }
  if (error) return;
  if (m_keep) return read_head();
  error_code ignored;
  m_stream.socket().shutdown(Any::socket::shutdown_send, ignored);
  m_stream.expires_after(linger_time);
  linger(m_shared.limits.body_bytes);
}

void Session::linger(std::size_t left) {
  m_buffer.clear();
  const auto space = m_buffer.prepare(std::size_t{16} << 10U);
  m_stream.async_read_some(space, [self = shared_from_this(), left](error_code error, std::size_t count) {
    if (!error && count < left) self->linger(left - count);
  });
}

}  // namespace capsule::serve
