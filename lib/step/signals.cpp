#include "step/signals.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fs/temporary.hpp"
#include "log/last_error.hpp"
#include "log/screen.hpp"
#include "step/run.hpp"
#include "step/termination_message.hpp"

namespace capsule::step {

namespace {

std::mutex actions_mutex;

std::vector<std::function<void()>>& actions() {
  static std::vector<std::function<void()>> list;
  return list;
}

std::string& words() {
  static std::string text = "nothing half-written is left, the same call goes on from here";
  return text;
}

std::atomic<bool> is_ending = false;

sigset_t terminating_signals() {
  sigset_t signals{};
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

/// PID 1 is not killed by a signal's default action, so there the exit code says it.
[[noreturn]] void die_of(int signal) {
  ::signal(signal, SIG_DFL);
  const auto signals = terminating_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

std::string_view name_of_signal(int signal) {
  return signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGHUP";
}

/// What is said of the end; empty: nothing.
std::string last_words(int signal) {
  std::string text;
  {
    const std::lock_guard lock{actions_mutex};
    text = words();
  }
  return text.empty() ? text : fmt::format("ended by {}: {}", name_of_signal(signal), text);
}

void say(const std::string& line) {
  is_ending = true;
  // Before all else: what is waited for afterwards can be cut short by SIGKILL.
  write_termination_message(line);
  log::last_error(line);
}

void wait_for_signal() {
  const auto signals = terminating_signals();
  int signal = 0;
  if (::sigwait(&signals, &signal) != 0) return;
  log::close_bar();
  const auto line = last_words(signal);
  if (!line.empty()) say(line);
  {
    const std::lock_guard lock{actions_mutex};
    for (const auto& action : actions()) action();
  }
  fs::remove_temporaries();
  // Steps that we started in this pod have written theirs.
  if (!line.empty()) write_termination_message(line);
  die_of(signal);
}

}  // namespace

void on_termination(std::function<void()> action) {
  const std::lock_guard lock{actions_mutex};
  actions().push_back(std::move(action));
}

void words_on_termination(std::string text) {
  const std::lock_guard lock{actions_mutex};
  words() = std::move(text);
}

void leave_it_to_the_signal() noexcept {
  while (is_ending) ::pause();
}

void wait_for_another_signal(std::chrono::milliseconds patience) {
  const auto signals = terminating_signals();
  const timespec time{patience.count() / 1000, static_cast<long>(patience.count() % 1000) * 1'000'000};
  ::sigtimedwait(&signals, nullptr, &time);
}

void end_on_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  const auto signals = terminating_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread{wait_for_signal}.detach();
}

}  // namespace capsule::step
