#include "step/signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <mutex>
#include <thread>
#include <vector>

#include "fs/temporary.hpp"
#include "log/screen.hpp"
#include "step/run.hpp"

namespace capsule::step {

namespace {

std::mutex actions_mutex;

std::vector<std::function<void()>>& actions() {
  static std::vector<std::function<void()>> list;
  return list;
}

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

void wait_for_signal() {
  const auto signals = terminating_signals();
  int signal = 0;
  if (::sigwait(&signals, &signal) != 0) return;
  log::close_bar();
  {
    const std::lock_guard lock{actions_mutex};
    for (const auto& action : actions()) action();
  }
  fs::remove_temporaries();
  die_of(signal);
}

}  // namespace

void on_termination(std::function<void()> action) {
  const std::lock_guard lock{actions_mutex};
  actions().push_back(std::move(action));
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
