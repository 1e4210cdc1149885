#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "log/progress.hpp"

namespace capsule::log {

/// One stretch of several that are shown as one: all that it does is `units` of `whole`, whatever its own total turns
/// out to be, and its end gives what is left of them. So what is shown never goes back. Whoever shares `whole` out
/// begins and ends it.
class ProgressShare final : public Progress {
 public:
  /// `whole` must outlive it.
  ProgressShare(Progress& whole, std::uint64_t units) : m_whole(whole), m_units(units) {}
  void begin(std::string_view what, std::uint64_t total) override;
  void advance(std::uint64_t count) override;
  void end() override;

 private:
  void show(std::uint64_t units);
  Progress& m_whole;
  std::uint64_t m_units;
  std::mutex m_mutex;  ///< of what follows
  std::uint64_t m_total = 0;
  std::uint64_t m_done = 0;
  std::uint64_t m_shown = 0;  ///< units
};

}  // namespace capsule::log
