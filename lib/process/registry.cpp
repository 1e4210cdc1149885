#include "process/registry.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "process/process.hpp"
#include "process/supervisor.hpp"

namespace capsule::process {

namespace {

constexpr std::chrono::milliseconds patience{1000};

struct Registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int, pid_t> lifelines;  ///< and the supervisor at the other end of each
  bool ending = false;
};

Registry& the_registry() {
  static auto* instance = new Registry;  // never destroyed: a thread may wait on it while the process ends
  return *instance;
}

[[noreturn]] void block_for_ever() noexcept {
  while (true) ::pause();
}

}  // namespace

void registry::enter(const std::function<Entry()>& launch) {
  auto& registry = the_registry();
  std::unique_lock lock{registry.mutex};
  if (registry.ending) {
    lock.unlock();
    block_for_ever();
  }
  const auto entry = launch();
  registry.lifelines.emplace(entry.lifeline, entry.supervisor);
}

void registry::leave(int lifeline) noexcept {
  auto& registry = the_registry();
  std::unique_lock lock{registry.mutex};
  registry.lifelines.erase(lifeline);
  registry.changed.notify_all();
  if (!registry.ending) return;
  lock.unlock();
  block_for_ever();
}

void kill_all() noexcept {
  auto& registry = the_registry();
  std::unique_lock lock{registry.mutex};
  registry.ending = true;
  for (const auto& [lifeline, supervisor] : registry.lifelines) send_order(lifeline, Order::terminate);
  registry.changed.wait_for(lock, patience, [&] { return registry.lifelines.empty(); });
}

unsigned reap_adopted() noexcept {
  auto& registry = the_registry();
  const std::lock_guard lock{registry.mutex};
  for (unsigned count = 0;; ++count) {
    siginfo_t ended{};
    if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return count;
    // A supervisor is waited for by who started it; what ended after it is seen the next time.
    const bool is_ours = std::any_of(registry.lifelines.begin(), registry.lifelines.end(),
                                     [&](const auto& entry) { return entry.second == ended.si_pid; });
    if (is_ours || ::waitpid(ended.si_pid, nullptr, WNOHANG) <= 0) return count;
  }
}

}  // namespace capsule::process
