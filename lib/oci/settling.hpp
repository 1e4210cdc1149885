#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "http/retry.hpp"

namespace capsule::oci {

/// How long whoever put a tag waits before he reads it again. No registry has compare-and-swap: another writer who
/// looked before that put puts his own a moment after it. How long his look and his put take nobody knows; what one's
/// own took at this registry, under this load, tells. So four times that, at least 0.1 s and at most 10 s; and up to as
/// much again by `random` (0 to 1), so that two who undo each other's work do not go in step.
std::chrono::milliseconds settling_time(std::chrono::milliseconds own_write, double random) noexcept;

/// The writes to tags of one writer, and what he waits for after them.
class Settling {
 public:
  explicit Settling(http::Timer timer) : m_timer(std::move(timer)) {}

  /// Runs `write`, which looks at a tag and puts it, and takes its time; false of it: nothing had to be put. Returns
  /// what it does.
  bool time(const std::function<bool()>& write);
  /// Waits once for all that was written since the last wait; not at all where nothing was.
  void wait();

  [[nodiscard]] const http::Timer& timer() const noexcept { return m_timer; }

 private:
  http::Timer m_timer;
  std::optional<std::chrono::milliseconds> m_longest;  ///< of the writes since the last wait
};

}  // namespace capsule::oci
