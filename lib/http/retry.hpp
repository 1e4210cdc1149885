#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "core/backoff.hpp"
#include "core/time.hpp"
#include "http/client.hpp"

namespace capsule::http {

struct RetryPolicy {
  BackoffPolicy backoff{};
  std::chrono::milliseconds total{30'000};  ///< from the first try on; a wait that would end later is not begun
};

/// Whether a status says that the same request may succeed later: 408, 425, 429, 500, 502, 503, 504.
bool is_transient(int status) noexcept;

/// The Retry-After header (RFC 9110 §10.2.3), in seconds or as a date against `now`; nothing where there is none or it
/// is malformed. At most one day.
std::optional<std::chrono::milliseconds> retry_after(const Headers& headers, Time now);

/// Time as retries see it; tests bring their own.
struct Timer {
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<void(std::chrono::milliseconds)> sleep;
  std::function<double()> random;  ///< uniform in [0, 1)
  static Timer real();
};

/// The tries of one call.
class Tries {
 public:
  explicit Tries(RetryPolicy policy, Timer timer = Timer::real());
  /// Waits for the next try; false, at once, when none is left.
  bool wait(std::optional<std::chrono::milliseconds> floor = {});
  /// Something was achieved: the count and the time of tries begin anew.
  void begin_anew();

 private:
  RetryPolicy m_policy;
  Timer m_timer;
  int m_tried = 1;
  std::chrono::steady_clock::time_point m_began;
};

/// Tries again: what is_transient says, TransportError, with back-off and jitter, Retry-After as the floor. POST and
/// PATCH, which may have been done although no answer came, only after 429, 503 and when nothing was sent, unless they
/// are said to be idempotent; nothing after what Request::is_final says. The last response or error is the caller's.
class RetryingClient final : public Client {
 public:
  explicit RetryingClient(Client& next, RetryPolicy policy = {}, Timer timer = Timer::real());
  Response send(const Request& request) override;

 private:
  Client& m_next;
  RetryPolicy m_policy;
  Timer m_timer;
};

}  // namespace capsule::http
