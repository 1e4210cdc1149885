#pragma once

#include <chrono>
#include <vector>

#include "http/retry.hpp"

namespace capsule::test {

/// Time that passes only while somebody sleeps.
struct FakeTime {
  std::chrono::steady_clock::time_point now{};
  std::vector<std::chrono::milliseconds> slept;

  http::Timer timer() {
    return {[this] { return now; },
            [this](std::chrono::milliseconds delay) {
              now += delay;
              slept.push_back(delay);
            },
            [] { return 0.0; }};
  }
};

}  // namespace capsule::test
