#include "core/backoff.hpp"

#include <algorithm>

namespace capsule {

std::optional<std::chrono::milliseconds> next_delay(const BackoffPolicy& policy, int attempt, double random,
                                                    std::optional<std::chrono::milliseconds> retry_after) {
  if (attempt >= policy.attempts) return std::nullopt;
  auto full = policy.first;
  for (int i = 1; i < attempt && full < policy.cap; ++i) full *= 2;
  full = std::min(full, policy.cap);
  const auto jittered = static_cast<double>(full.count()) * (0.5 + random / 2);
  const std::chrono::milliseconds delay{static_cast<std::chrono::milliseconds::rep>(jittered)};
  return std::max(delay, retry_after.value_or(std::chrono::milliseconds{0}));
}

}  // namespace capsule
