#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "core/stream.hpp"
#include "core/url.hpp"
#include "http/address.hpp"
#include "http/headers.hpp"

namespace capsule::http {

enum class Method { get, head, post, put, patch, del };
std::string_view name_of(Method method) noexcept;  ///< "GET", …

/// One secret header, e.g. {"Authorization", "Bearer …"}: sent to the origin of the request's URL and to nobody else.
struct Credentials {
  std::string header;
  Secret value;
};

/// A body that does not fit into memory. `open` is called once per try.
struct StreamedBody {
  std::uint64_t size = 0;  ///< bytes: what `open`'s source will give
  std::function<std::unique_ptr<Source>()> open;
};

/// What came before the body.
struct Head {
  int status = 0;
  Headers headers;
  /// Content-Length, where there is a valid one.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
};

enum class Redirects {
  follow,    ///< at most 5, by the rules of Client
  give_back  ///< a 3xx is a response like any other
};

struct Response;

struct Request {
  Method method = Method::get;
  Url url;
  Headers headers{};
  std::string body{};
  std::optional<StreamedBody> streamed_body{};  ///< instead of `body`
  std::optional<Credentials> credentials{};
  Redirects redirects = Redirects::follow;
  /// Where the server is that named this URL, when another one did (an upload's Location, a token realm): that it may
  /// lead to the address behind the URL (may_lead_to) is asked after name resolution, as of a redirect.
  std::optional<AddressClass> led_from{};
  /// From the first byte sent to the last one received; 0: none but those on connecting and on a stalled transfer.
  std::chrono::milliseconds time_limit{30'000};
  /// Bytes of the response's body; more is Error invalid_input.
  std::uint64_t response_limit = std::uint64_t{4} << 20U;
  /// Where the body of a 2xx goes: called once per try, when its head is there. Without it the body is
  /// Response::body. The sink must outlive the call of send.
  std::function<Sink&(const Head&)> open_sink{};
  /// Called about once a second and whenever something moves; what it throws ends the transfer and leaves send().
  std::function<void()> on_wait{};
  /// A stream on which nothing may come for long: no limit on stalling, the connection is probed instead.
  bool may_be_silent = false;
  /// Of a POST or PATCH: it may go out again although the last one may have been done.
  bool idempotent = false;
  /// Of a response that RetryingClient would try again: that it is the last word all the same. None: never.
  std::function<bool(const Response&)> is_final{};
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;  ///< empty where a sink took it; that of an error status is cut at 64 KiB
  Url url;           ///< the one that answered, after redirects
  AddressClass address_class = AddressClass::public_internet;  ///< of the server that answered, or of none: a proxy
};

/// The request got no whole response: name resolution, refused, reset, cut short (unavailable), or a limit on time
/// (timed_out).
class TransportError : public Error {
 public:
  enum class Sent { no, maybe };
  TransportError(ErrorKind kind, std::string message, Sent sent) : Error(kind, std::move(message)), m_sent(sent) {}
  /// `no`: the server cannot have seen the request, so that any method can be sent again.
  [[nodiscard]] Sent sent() const noexcept { return m_sent; }

 private:
  Sent m_sent;
};

/// Sends one request and waits for its response. Not for several threads at once.
///
/// What every client keeps to (README.md, "Network"): https, and plain http on loopback alone, or where the user named
/// the host for it (Error usage); TLS is always verified (Error verification_failed). Redirects: at most 5; never from
/// https to http; another origin gets neither credentials nor a body, and of the headers only those that say what is
/// asked for; it may be at a private or loopback address only if the first origin is at one (Error denied). Any status
/// comes back as a Response (see expect_success). Error messages hold no query, no header and no secret.
class Client {
 public:
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;
  virtual Response send(const Request& request) = 0;
};

/// Throws what a status stands for unless it is 2xx: not_found (404, 410), denied (401, 403, 407), conflict (409, 412),
/// unavailable (408, 425, 429, 500, 502–504 and other 5xx, but 501 and 505), else invalid_input. The message:
/// "<what>: <url without query> answers 404 Not Found: <first words of a JSON or text body>".
void expect_success(const Response& response, std::string_view what);

}  // namespace capsule::http
