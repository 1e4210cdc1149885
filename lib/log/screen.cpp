#include "log/screen.hpp"

#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace capsule::log {

namespace {

std::mutex screen_mutex;
std::string& bar_on_screen() {
  static std::string bar;
  return bar;
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

}  // namespace

void print_above_bar(std::string_view lines) {
  const std::lock_guard lock{screen_mutex};
  const auto& bar = bar_on_screen();
  put(bar.empty() ? std::string{lines} : "\r\x1b[K" + std::string{lines} + bar);
}

void set_bar(std::string bar) {
  const std::lock_guard lock{screen_mutex};
  put("\r\x1b[K" + bar);
  bar_on_screen() = std::move(bar);
}

}  // namespace capsule::log
