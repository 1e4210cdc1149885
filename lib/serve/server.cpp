#include "serve/server.hpp"

#include <fmt/format.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "log/log.hpp"

namespace capsule::serve {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Unix = asio::local::stream_protocol;
using Any = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Any>;

/// How long what a refused client still sends is read and dropped, at most as much as a body may have, so that it sees
/// the answer instead of a reset.
constexpr std::chrono::seconds linger_time{1};

/// What all connections share. But for `workers`, only the I/O thread touches it.
struct Shared {
  Limits limits;
  Handler handler;
  RateLimit rate;
  std::size_t connections = 0;
  std::size_t large_bodies = 0;
  std::size_t in_progress = 0;  ///< requests that a handler has, or whose response is being sent
  bool stopping = false;
  std::function<void()> on_idle;
  asio::io_context& io;
  asio::thread_pool& workers;
};

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

Response too_many(std::chrono::milliseconds wait, int status, std::string_view detail) {
  auto response = refusal(status, detail);
  response.headers.emplace_back("Retry-After",
                                fmt::format("{}", std::max<std::int64_t>(1, (wait.count() + 999) / 1000)));
  return response;
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

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Any::socket socket, Shared& shared, std::string peer)
      : m_stream(std::move(socket)), m_shared(shared), m_peer(std::move(peer)) {
    ++m_shared.connections;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    leave_large();
    --m_shared.connections;
  }

  void start() { read_head(); }
  void refuse_at_once(Response response) { send(std::move(response), After::close); }

 private:
  enum class After { keep, close };

  void read_head() {
    leave_large();
    m_parser.emplace();
    m_parser->header_limit(static_cast<std::uint32_t>(m_shared.limits.header_bytes));
    m_parser->body_limit(m_shared.limits.body_bytes);
    m_stream.expires_after(m_shared.limits.idle_time);
    http::async_read_header(m_stream, m_buffer, *m_parser,
                            [self = shared_from_this()](error_code error, std::size_t) { self->on_head(error); });
  }

  void on_head(error_code error) {
    if (error) return on_read_error(error);
    m_stream.expires_after(m_shared.limits.body_time);
    if (auto refused = refuse_body()) return send(std::move(*refused), After::close);
    if (beast::iequals(m_parser->get()[http::field::expect], "100-continue")) return invite_body();
    read_body();
  }

  /// Before it is read: what waits for its body on many connections together takes memory.
  std::optional<Response> refuse_body() {
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

  void leave_large() noexcept {
    if (m_has_large) --m_shared.large_bodies;
    m_has_large = false;
  }

  void invite_body() {
    m_invitation = http::response<http::empty_body>{http::status::continue_, 11};
    http::async_write(m_stream, m_invitation, [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    http::async_read(m_stream, m_buffer, *m_parser, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->on_read_error(error);
      self->on_request();
    });
  }

  void on_read_error(const error_code& error) {
    if (auto answer = refusal_of(error)) send(std::move(*answer), After::close);
  }

  void on_request() {
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
  Response answer(const Request& request) const {
    try {
      return m_shared.handler(request);
    } catch (const std::exception& error) {
      log::error(fmt::format("{} {}: {}", printable(request.method), printable(request.target.path), error.what()));
      return refusal(500, "Internal Server Error");
    }
  }

  void send(Response response, After after) {
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

  void on_sent(const error_code& error) {
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

  void linger(std::size_t left) {
    m_buffer.clear();
    const auto space = m_buffer.prepare(std::size_t{16} << 10U);
    m_stream.async_read_some(space, [self = shared_from_this(), left](error_code error, std::size_t count) {
      if (!error && count < left) self->linger(left - count);
    });
  }

  beast::basic_stream<Any> m_stream;
  beast::flat_buffer m_buffer;
  Shared& m_shared;
  std::string m_peer;
  std::optional<http::request_parser<http::string_body>> m_parser;
  http::response<http::empty_body> m_invitation;
  http::response<http::string_body> m_response;
  bool m_keep = false;
  bool m_head_only = false;
  bool m_counted = false;
  bool m_has_large = false;
};

Tcp::endpoint endpoint_of(const Listen& listen) {
  error_code error;
  const auto address = asio::ip::make_address(listen.address, error);
  if (error)
    throw Error{ErrorKind::usage, fmt::format("'{}' is no IP address to listen on", printable(listen.address))};
  return {address, listen.port};
}

/// "127.0.0.1:8080", or the path of a UNIX socket.
std::string name_of(const Listen& listen) {
  return listen.unix_socket.empty() ? fmt::format("{}:{}", listen.address, listen.port) : printable(listen.unix_socket);
}

Any::endpoint any_endpoint_of(const Listen& listen) {
  if (listen.unix_socket.empty()) return endpoint_of(listen);
  ::unlink(listen.unix_socket.c_str());
  return Unix::endpoint{listen.unix_socket};
}

Acceptor open_acceptor(asio::io_context& io, const Listen& listen) {
  try {
    const auto endpoint = any_endpoint_of(listen);
    Acceptor acceptor{io, endpoint.protocol()};
    if (listen.unix_socket.empty()) acceptor.set_option(asio::socket_base::reuse_address{true});
    acceptor.bind(endpoint);
    acceptor.listen();
    return acceptor;
  } catch (const boost::system::system_error& error) {
    const bool taken = error.code() == boost::system::errc::address_in_use;
    throw Error{taken ? ErrorKind::unavailable : ErrorKind::usage,
                fmt::format("cannot listen on {}: {}", name_of(listen), error.code().message())};
  }
}

/// Nothing for a connection that is gone already.
std::optional<std::string> peer_of(const Any::socket& socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return std::nullopt;
  if (endpoint.protocol().family() == AF_UNIX) return "unix";
  Tcp::endpoint address;
  std::memcpy(address.data(), endpoint.data(), std::min(endpoint.size(), address.capacity()));
  return address.address().to_string();
}

}  // namespace

Listen Listen::parse(const std::string& text) {
  const auto colon = text.rfind(':');
  Listen listen;
  if (colon == std::string::npos) throw Error{ErrorKind::usage, "listen on what port? ADDRESS:PORT is wanted"};
  listen.address = text.substr(0, colon);
  if (listen.address.starts_with('[') && listen.address.ends_with(']'))
    listen.address = listen.address.substr(1, listen.address.size() - 2);
  const auto* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, listen.port);
  if (error != std::errc{} || at != end)
    throw Error{ErrorKind::usage, fmt::format("'{}' is not of the form ADDRESS:PORT", printable(text))};
  endpoint_of(listen);
  return listen;
}

struct Server::Impl {
  Shared shared;  // first: the sessions that the I/O context still holds when it goes use it
  asio::io_context io{1};
  asio::thread_pool workers;
  Listen listen;
  Acceptor acceptor;
  asio::steady_timer timer{io};
  std::chrono::milliseconds grace{};

  Impl(const Listen& where, const Limits& limits, Handler handler)
      : shared{limits, std::move(handler), RateLimit{limits.rate}, 0, 0, 0, false, [this] { io.stop(); }, io, workers},
        workers(std::max(limits.threads, 1U)),
        listen(where),
        acceptor(open_acceptor(io, listen)) {}

  void accept() {
    acceptor.async_accept([this](error_code error, Any::socket socket) {
      if (error == asio::error::operation_aborted || shared.stopping) return;
      if (error) return pause();
      admit(std::move(socket));
      accept();
    });
  }

  /// Out of descriptors, most likely: waiting is all that helps.
  void pause() {
    timer.expires_after(std::chrono::milliseconds{100});
    timer.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  void admit(Any::socket socket) {
    auto peer = peer_of(socket);
    if (!peer) return;
    const bool full = shared.connections >= shared.limits.connections;
    const auto session = std::make_shared<Session>(std::move(socket), shared, std::move(*peer));
    if (full)
      session->refuse_at_once(too_many(std::chrono::seconds{1}, 503, "Too many connections"));
    else
      session->start();
  }

  void begin_stop() {
    shared.stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    if (shared.in_progress == 0) return io.stop();
    timer.expires_after(grace);
    timer.async_wait([this](error_code) { io.stop(); });
  }
};

Server::Server(const Listen& listen, const Limits& limits, Handler handler)
    : m_impl(std::make_unique<Impl>(listen, limits, std::move(handler))) {}

Server::~Server() {
  m_impl->workers.stop();
  m_impl->workers.join();
}

std::uint16_t Server::port() const noexcept {
  if (!m_impl->listen.unix_socket.empty()) return 0;
  error_code ignored;
  const auto endpoint = m_impl->acceptor.local_endpoint(ignored);
  Tcp::endpoint address;
  std::memcpy(address.data(), endpoint.data(), std::min(endpoint.size(), address.capacity()));
  return address.port();
}

std::string Server::url() const {
  const auto& listen = m_impl->listen;
  if (!listen.unix_socket.empty()) return "unix:" + listen.unix_socket;
  const bool is_v6 = listen.address.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(is_v6 ? "http://[{}]:{}" : "http://{}:{}"), listen.address, port());
}

void Server::run(std::chrono::milliseconds grace) {
  m_impl->grace = grace;
  m_impl->accept();
  m_impl->io.run();
}

void Server::stop() {
  asio::post(m_impl->io, [impl = m_impl.get()] { impl->begin_stop(); });
}

}  // namespace capsule::serve
