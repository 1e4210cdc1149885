#include "serve/server.hpp"

#include <fmt/format.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "serve/session.hpp"

namespace capsule::serve {

namespace {

using Tcp = asio::ip::tcp;
using Unix = asio::local::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Any>;

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
      : shared{.limits = limits,
               .handler = std::move(handler),
               .rate = RateLimit{limits.rate},
               .on_idle = [this] { io.stop(); },
               .io = io,
               .workers = workers},
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

  /// Who says nothing keeps nobody out, such as the kubelet that asks whether we live.
  bool make_room() {
    const auto enough = Clock::now() - shared.limits.patience;
    for (auto* session : shared.sessions) {
      const auto since = session->waits_since();
      if (!since || *since > enough) continue;
      session->drop();
      return true;
    }
    return false;
  }

  void admit(Any::socket socket) {
    auto peer = peer_of(socket);
    if (!peer) return;
    const bool full = shared.sessions.size() >= shared.limits.connections && !make_room();
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
