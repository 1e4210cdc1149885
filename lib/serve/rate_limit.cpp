#include "serve/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace capsule::serve {

namespace {
constexpr std::size_t max_clients = 1024;
}

double RateLimit::level(const Bucket& bucket, Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
  return std::min(m_rate.burst, bucket.tokens + std::max(seconds, 0.0) * m_rate.per_second);
}

std::optional<std::chrono::milliseconds> RateLimit::refuse(const std::string& client, Clock::time_point now) {
  auto found = m_buckets.find(client);
  if (found == m_buckets.end()) {
    make_room(now);
    found = m_buckets.emplace(client, Bucket{m_rate.burst, now}).first;
  }
  auto& bucket = found->second;
  bucket = {level(bucket, now), now};
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return std::nullopt;
  }
  const double milliseconds = std::ceil((1 - bucket.tokens) / m_rate.per_second * 1000);
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds)};
}

void RateLimit::make_room(Clock::time_point now) {
  if (m_buckets.size() < max_clients) return;
  const auto fullest = std::max_element(m_buckets.begin(), m_buckets.end(), [&](const auto& a, const auto& b) {
    return level(a.second, now) < level(b.second, now);
  });
  m_buckets.erase(fullest);
}

}  // namespace capsule::serve
