#include "process/registry.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>

#include "process/process.hpp"
#include "process/supervisor.hpp"

namespace capsule::process {

namespace {

constexpr std::chrono::milliseconds patience{1000};

struct Registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<int> lifelines;
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

void registry::enter(const std::function<int()>& launch) {
  auto& registry = the_registry();
  std::unique_lock lock{registry.mutex};
  if (registry.ending) {
    lock.unlock();
    block_for_ever();
  }
  registry.lifelines.insert(launch());
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
  for (const int lifeline : registry.lifelines) send_order(lifeline, Order::terminate);
  registry.changed.wait_for(lock, patience, [&] { return registry.lifelines.empty(); });
}

}  // namespace capsule::process
