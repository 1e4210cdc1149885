#include "log/screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <system_error>

namespace capsule::log {

namespace {

constexpr std::string_view wipe = "\r\x1b[K";

struct Screen {
  std::timed_mutex mutex;
  std::string bar;
  bool is_closed = false;
};

/// Never destroyed: threads may draw until the process is gone.
Screen& screen() {
  static auto& instance = *new Screen;
  return instance;
}

/// What cannot be written to stderr is lost: there is nobody left to tell.
void put(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool takes_output() {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

}  // namespace

void print_above_bar(std::string_view lines) {
  auto& [mutex, bar, is_closed] = screen();
  const std::lock_guard lock{mutex};
  put(bar.empty() ? std::string{lines} : std::string{wipe} + std::string{lines} + bar);
}

void print_if_taken(std::string_view lines) noexcept try {
  const std::unique_lock lock{screen().mutex, std::chrono::milliseconds{100}};
  if (lock.owns_lock() && takes_output()) put(lines);
} catch (const std::system_error&) {  // no clock to wait by
}

std::size_t screen_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void set_bar(std::string text) {
  auto& [mutex, bar, is_closed] = screen();
  const std::lock_guard lock{mutex};
  if (is_closed || (text.empty() && bar.empty())) return;
  text.resize(std::min(text.size(), screen_width() - 1));
  put(std::string{wipe} + text);
  bar = std::move(text);
}

void close_bar() noexcept try {
  auto& [mutex, bar, is_closed] = screen();
  const std::unique_lock lock{mutex, std::chrono::milliseconds{100}};
  if (!lock.owns_lock()) return;
  is_closed = true;
  if (!bar.empty() && takes_output()) put(wipe);
  bar.clear();
} catch (const std::system_error&) {  // no clock to wait by: the bar stays
}

}  // namespace capsule::log
