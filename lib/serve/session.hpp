#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>

#include "serve/server.hpp"

namespace capsule::serve {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Any = asio::generic::stream_protocol;
using Clock = std::chrono::steady_clock;

class Session;

/// What all connections share. But for `workers`, only the I/O thread touches it.
struct Shared {
  Limits limits;
  Handler handler;
  RateLimit rate;
  std::list<Session*> sessions{};  ///< the one that waits the longest for its client's next request at the front
  std::size_t large_bodies = 0;
  std::size_t in_progress = 0;  ///< requests that a handler has, or whose response is being sent
  bool stopping = false;
  std::function<void()> on_idle;
  asio::io_context& io;
  asio::thread_pool& workers;
};

/// One connection, from its first byte to its last; owns itself while an operation is under way.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Any::socket socket, Shared& shared, std::string peer);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  void start() { read_head(); }
  void refuse_at_once(Response response) { send(std::move(response), After::close); }
  /// Since when a request is awaited, where one is: it has not come whole yet.
  [[nodiscard]] std::optional<Clock::time_point> waits_since() const { return m_waits_since; }
  void drop();

 private:
  enum class After { keep, close };

  void read_head();
  void on_head(error_code error);
  std::optional<Response> refuse_body();
  void leave_large() noexcept;
  void invite_body();
  void read_body();
  void on_read_error(const error_code& error);
  void on_request();
  Response answer(const Request& request) const;
  void send(Response response, After after);
  void on_sent(const error_code& error);
  void linger(std::size_t left);

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
  std::optional<Clock::time_point> m_waits_since;
  std::list<Session*>::iterator m_place;  ///< among all, the one that came or was answered first at the front
};

Response too_many(std::chrono::milliseconds wait, int status, std::string_view detail);

}  // namespace capsule::serve
