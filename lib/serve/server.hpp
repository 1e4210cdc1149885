#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/message.hpp"
#include "serve/rate_limit.hpp"

namespace capsule::serve {

struct Limits {
  std::size_t header_bytes = std::size_t{16} << 10U;  ///< more: 431
  std::size_t body_bytes = std::size_t{16} << 20U;    ///< more: 413
  /// What counts as a large body, and the paths that take one at all: elsewhere more is 413.
  std::size_t large_body_bytes = std::size_t{1} << 20U;
  std::function<bool(const std::string& path)> takes_large{};  ///< none given: every path
  std::size_t large_bodies = 8;                                ///< that are there at once; more: 503 with Retry-After
  std::chrono::milliseconds idle_time{15'000};                 ///< for a whole head to come
  std::chrono::milliseconds body_time{30'000};  ///< for a whole body to come, and for a response to be taken
  /// More: the one whose client has been silent the longest, for `patience` at least, is closed; where there is none,
  /// 503 with Retry-After.
  std::size_t connections = 512;
  std::chrono::milliseconds patience{1'000};
  Rate rate{};           ///< per client address; more: 429 with Retry-After
  unsigned threads = 2;  ///< that run handlers
};

/// Called from several threads at once. What it throws is logged and answered by 500.
using Handler = std::function<Response(const Request&)>;

struct Listen {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: a free one
  /// A UNIX socket instead, at this path: what stands there is replaced. Whoever may enter its folder may connect.
  std::string unix_socket{};
  /// "127.0.0.1:8080", "[::1]:0". Error usage.
  static Listen parse(const std::string& text);
};

/// A small HTTP/1.1 server: keep-alive, limits, no TLS. Listens from its construction on (Error unavailable where the
/// address is taken, usage where it cannot be had at all).
class Server {
 public:
  Server(const Listen& listen, const Limits& limits, Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] std::uint16_t port() const noexcept;  ///< 0 for a UNIX socket
  /// "http://127.0.0.1:40001"; "unix:<path>" for a UNIX socket.
  [[nodiscard]] std::string url() const;
  /// Serves until stop(); returns when the requests that had come are answered, at most `grace` later.
  void run(std::chrono::milliseconds grace = std::chrono::milliseconds{500});
  /// From any thread.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace capsule::serve
