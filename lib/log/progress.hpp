#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace capsule::log {

/// Watches long work. What does the work knows nothing of how it is shown.
class Progress {
 public:
  Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  virtual ~Progress() = default;
  /// Begins a stretch of `total` bytes (0: not known), e.g. "packing".
  virtual void begin(std::string_view what, std::uint64_t total) = 0;
  /// `count` more bytes are done. May be called from several threads; outside of a stretch nothing is shown of it.
  virtual void advance(std::uint64_t count) = 0;
  virtual void end() = 0;
};

/// Shows nothing.
class SilentProgress final : public Progress {
 public:
  void begin(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void end() override {}
};

/// The one that fits this process: a bar on a terminal, with bytes, speed and
/// time left; `N/M` lines in the file that ARGO_PROGRESS_FILE names (percent,
/// 0 ≤ N ≤ 100 = M: a line without a slash kills Argo's wait container, so no other form can be written); else silence.
Progress& process_progress();

}  // namespace capsule::log
