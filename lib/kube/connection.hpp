#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http/curl_client.hpp"
#include "http/retry.hpp"
#include "kube/config.hpp"

namespace capsule::kube {

/// One request to the apiserver.
struct Call {
  std::string what;  ///< verb, resource and place, for messages: "list pods in namespace 'x'"
  http::Method method = http::Method::get;
  std::string path;
  std::string query{};
  std::string body{};
  std::string content_type{};
  bool idempotent = false;             ///< of a POST or PATCH: it may be sent twice
  bool once = false;                   ///< one try alone: whoever calls tries again himself
  std::chrono::milliseconds limit{0};  ///< zero: ConnectionOptions::limit
  std::uint64_t answer_limit =
      std::uint64_t{256} << 20U;  ///< bytes; a page of 500 objects, each at most 1.5 MiB, is far below in practice
  std::function<bool(const http::Response&)> is_final{};  ///< as http::Request has it
  /// Called about once a second while it goes on and between its tries; what it throws ends the call. It may make
  /// calls itself.
  std::function<void()> on_wait{};
};

struct ConnectionOptions {
  /// Long enough for an apiserver that is started anew.
  http::RetryPolicy retry{{.attempts = 1000, .first = std::chrono::milliseconds{250}, .cap = std::chrono::seconds{4}},
                          std::chrono::seconds{30}};
  http::Timer timer = http::Timer::real();
  std::chrono::milliseconds limit{30'000};  ///< of one try of one call
  /// Another client than the real one, for tests.
  std::function<std::unique_ptr<http::Client>(const http::CurlLimits&)> make_http{};
};

/// `timer` whose sleep calls `on_wait` about once a second: who waits with us may have something to do meanwhile.
http::Timer calling(http::Timer timer, std::function<void()> on_wait);

/// Sends requests to one apiserver as one account: credentials that rotate, one more try after a 401 with new ones, and
/// tries again after 429 (Retry-After is kept) and 5xx until the policy's time is over. TLS is always verified: Error
/// verification_failed. Not for several threads at once.
class Connection {
 public:
  explicit Connection(Config config, ConnectionOptions options = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Any answer but 401.
  http::Response exchange(const Call& call);
  /// An answer of 2xx; ApiError for another.
  http::Response send(const Call& call);
  /// One try whose 2xx body goes to `sink` as it comes, on a TCP connection of its own, so that other requests can be
  /// made meanwhile (from within `sink`, too). A body that just ends returns.
  void stream(const Call& call, Sink& sink);

  [[nodiscard]] const Config& config() const noexcept { return m_config; }
  [[nodiscard]] const http::Timer& timer() const noexcept { return m_options.timer; }
  /// How many requests went out so far, tries that failed included.
  [[nodiscard]] std::uint64_t requests() const noexcept { return m_requests; }

 private:
  class Counting;
  [[nodiscard]] http::Request request_of(const Call& call, const Credentials& credentials) const;
  [[nodiscard]] std::unique_ptr<Counting> make_http(const Credentials& credentials);
  std::optional<Credentials> others_than(const Credentials& refused);

  Config m_config;
  ConnectionOptions m_options;
  Credentials m_in_use;              ///< those that m_http was made for
  std::unique_ptr<Counting> m_http;  ///< null: none yet, or it is at work
  std::uint64_t m_requests = 0;
};

}  // namespace capsule::kube
