#include "log/progress.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "log/log.hpp"
#include "log/screen.hpp"

namespace capsule::log {

namespace {

using Clock = std::chrono::steady_clock;

/// Counts, and calls show() at most once per `interval`.
class ThrottledProgress : public Progress {
 public:
  explicit ThrottledProgress(std::chrono::milliseconds interval) : m_interval(interval) {}

  void begin(std::string_view what, std::uint64_t total) override {
    const std::lock_guard lock{m_mutex};
    m_what = what;
    m_total = total;
    m_done = 0;
    m_start = m_shown = Clock::now();
    m_is_running = true;
  }

  void advance(std::uint64_t count) override {
    m_done += count;
    const std::unique_lock lock{m_mutex, std::try_to_lock};
    if (!lock.owns_lock() || !m_is_running || Clock::now() - m_shown < m_interval) return;
    m_shown = Clock::now();
    show();
  }

  void end() override {
    const std::lock_guard lock{m_mutex};
    m_is_running = false;
    finish();
  }

 protected:
  virtual void show() = 0;
  virtual void finish() = 0;

  [[nodiscard]] std::uint64_t done() const { return m_total == 0 ? m_done.load() : std::min(m_done.load(), m_total); }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - m_start).count(); }
  std::string m_what;         // NOLINT(misc-non-private-member-variables-in-classes)
  std::uint64_t m_total = 0;  // NOLINT(misc-non-private-member-variables-in-classes)

 private:
  std::chrono::milliseconds m_interval;
  std::mutex m_mutex;
  std::atomic<std::uint64_t> m_done = 0;
  Clock::time_point m_start;
  Clock::time_point m_shown;
  bool m_is_running = false;  ///< between begin() and end()
};

class BarProgress final : public ThrottledProgress {
 public:
  BarProgress() : ThrottledProgress(std::chrono::milliseconds{100}) {}

 private:
  void show() override {
    const double rate = static_cast<double>(done()) / std::max(seconds(), 1e-3);
    const auto speed = human_size(static_cast<std::uint64_t>(rate));
    if (m_total == 0) {
      set_bar(fmt::format("{} {} {}/s", m_what, human_size(done()), speed));
      return;
    }
    const std::chrono::milliseconds left{
        static_cast<std::int64_t>(static_cast<double>(m_total - done()) / std::max(rate, 1.0) * 1e3)};
    const auto numbers =
        fmt::format("{}/{} {}/s {} left", human_size(done()), human_size(m_total), speed, human_duration(left));
    set_bar(fmt::format("{} {}{}", m_what, strip(m_what.size() + numbers.size()), numbers));
  }

  /// "[===   ] ", as long as there is room for beside `others` characters, or nothing.
  [[nodiscard]] std::string strip(std::size_t others) const {
    constexpr std::size_t longest = 30;
    constexpr std::size_t shortest = 8;
    const auto taken = others + std::string_view{" [] "}.size() + 1;  // the last column stays free
    const auto columns = screen_width();
    if (columns < taken + shortest) return {};
    const auto width = std::min(columns - taken, longest);
    const auto filled = static_cast<std::size_t>(static_cast<double>(done()) / static_cast<double>(m_total) *
                                                 static_cast<double>(width));
    return fmt::format("[{}{}] ", std::string(filled, '='), std::string(width - filled, ' '));
  }

  void finish() override { set_bar(""); }
};

class ArgoProgress final : public ThrottledProgress {
 public:
  explicit ArgoProgress(std::string path) : ThrottledProgress(std::chrono::seconds{3}), m_path(std::move(path)) {}

 private:
  void show() override { put(m_total == 0 ? 0 : done() * 100 / m_total); }
  void finish() override { put(100); }

  /// One write of one whole line: the reader must never see half of it. A FIFO that nobody reads is not waited for.
  void put(std::uint64_t percent) const {
    const int fd = ::open(m_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd < 0) return;
    const auto line = fmt::format("{}/100\n", std::min<std::uint64_t>(percent, 100));
    [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
    ::close(fd);
  }

  std::string m_path;
};

std::unique_ptr<Progress> make_progress() {
  const char* file = std::getenv("ARGO_PROGRESS_FILE");  // NOLINT(concurrency-mt-unsafe)
  if (file != nullptr && *file != '\0') return std::make_unique<ArgoProgress>(file);
  if (form() == Form::terminal) return std::make_unique<BarProgress>();
  return std::make_unique<SilentProgress>();
}

}  // namespace

Progress& process_progress() {
  static const std::unique_ptr<Progress> instance = make_progress();
  return *instance;
}

}  // namespace capsule::log
