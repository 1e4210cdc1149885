#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "serve/message.hpp"

namespace agent {

/// How long the caller waits for an end: ?wait_ms=N, at most 20 s.
inline std::chrono::milliseconds wait_of(const capsule::serve::Request& request) {
  constexpr std::int64_t longest_wait_ms = 20'000;
  const auto found = request.target.query.find("wait_ms");
  if (found == request.target.query.end()) return {};
  std::int64_t wait = 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), wait);
  return std::chrono::milliseconds{std::clamp<std::int64_t>(wait, 0, longest_wait_ms)};
}

}  // namespace agent
