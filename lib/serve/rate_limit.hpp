#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace capsule::serve {

struct Rate {
  double per_second = 100;
  double burst = 200;  ///< requests that may come at once
};

/// A token bucket per client. Bounded: with more than 1,024 clients at once the fullest buckets are forgotten. Not for
/// several threads at once.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RateLimit(Rate rate) : m_rate(rate) {}
  /// Nothing when the request may pass; else how long until the next one may.
  std::optional<std::chrono::milliseconds> refuse(const std::string& client, Clock::time_point now);

 private:
  struct Bucket {
    double tokens = 0;
    Clock::time_point filled;
  };
  void make_room(Clock::time_point now);
  [[nodiscard]] double level(const Bucket& bucket, Clock::time_point now) const;
  Rate m_rate;
  std::map<std::string, Bucket> m_buckets;
};

}  // namespace capsule::serve
