#pragma once

#include <chrono>
#include <optional>

namespace capsule {

/// How often and how long to wait between tries; about 30 s in all, then the exit code leaves it to the orchestrator.
struct BackoffPolicy {
  int attempts = 5;
  std::chrono::milliseconds first{250};
  std::chrono::milliseconds cap{8000};
};

/// The delay before try number `attempt` + 1 (attempt counts from 1), or nothing when no try is left: exponential with
/// full jitter on its upper half. `random` is uniform in [0, 1). `retry_after` (from the server) is a floor for the
/// delay, and may exceed the cap. Pure.
std::optional<std::chrono::milliseconds> next_delay(const BackoffPolicy& policy, int attempt, double random,
                                                    std::optional<std::chrono::milliseconds> retry_after = {});

}  // namespace capsule
