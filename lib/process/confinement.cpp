#include "process/confinement.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "process/cgroup_memory.hpp"

namespace capsule::process {

namespace {

constexpr std::uint64_t most_for_process = std::uint64_t{256} << 10U;

struct MachineMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};

/// By /proc/meminfo; without it, all of what the C library says; no more than our control group may have.
MachineMemory memory_of_machine() {
  MachineMemory out;
  std::ifstream file{"/proc/meminfo"};
  std::string label;
  std::uint64_t kib = 0;
  for (std::string rest; file >> label >> kib && std::getline(file, rest);) {
    if (label == "MemTotal:") out.total = kib * 1024;
    if (label == "MemAvailable:") out.available = kib * 1024;
  }
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page = ::sysconf(_SC_PAGESIZE);
  if (out.total == 0 && pages > 0 && page > 0)
    out.total = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  if (out.available == 0) out.available = out.total;
  if (const auto group = cgroup_memory()) {
    out.total = out.total == 0 ? group->limit : std::min(out.total, group->limit);
    out.available = std::min(out.available == 0 ? out.total : out.available, group->available);
  }
  return out;
}

/// All that there are on this machine, whoever's: the fourth word of /proc/loadavg, "running/all".
std::uint64_t threads_of_machine() {
  std::ifstream file{"/proc/loadavg"};
  std::string word;
  for (int i = 0; i < 4; ++i) file >> word;
  std::uint64_t out = 0;
  const auto slash = word.find('/');
  if (slash != std::string::npos) std::from_chars(word.data() + slash + 1, word.data() + word.size(), out);
  return out;
}

/// Whether /proc shows the processes of one container alone. The machine's own namespace has this number always.
bool is_in_container() {
  std::error_code error;
  const auto name = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  return !error && name != "pid:[4026531836]";
}

/// The kernel counts a user's threads on the whole machine, ours and those of other capsules too. In a container those
/// of other containers cannot be seen: all threads that there are, are as many at least.
std::uint64_t threads_of_user(unsigned user) {
  if (is_in_container()) return threads_of_machine();
  std::uint64_t out = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc", error}) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file{entry.path() / "status"};
    bool is_his = false;
    for (std::string label; file >> label; file.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
      std::uint64_t number = 0;
      if (label == "Uid:") is_his = file >> number && number == user;
      if (label == "Threads:" && file >> number && is_his) out += number;
      if (label == "Threads:") break;
    }
  }
  return out;
}

}  // namespace

Most Limits::together() const noexcept {
  Most out;
  out.memory = memory.value_or(out.memory);
  out.processes = descendants.value_or(out.processes);
  return out;
}

Limits usual_limits(std::optional<std::uint64_t> memory) {
  Limits out;
  const auto machine = memory_of_machine();
  if (machine.total != 0)
    out.memory = memory ? std::min(*memory, machine.available / 16 * 15)
                        : std::min(machine.total / 2, machine.available / 4 * 3);
  // What the kernel needs for a process is not among what it holds, yet counts for a control group.
  const auto by_memory = out.memory.value_or(std::numeric_limits<std::uint64_t>::max()) / most_for_process;
  out.processes =
      std::min<std::uint64_t>(1024, by_memory) + threads_of_user(::geteuid() == 0 ? capsule_user : ::geteuid());
  out.descendants = 512;
  out.file_size = std::uint64_t{16} << 30U;
  out.disk_reserve = std::uint64_t{1} << 30U;
  out.open_files = 4096;
  // A container's share of the processors is its group's. In it, whoever watches over a fork bomb must get a turn.
  if (is_in_container()) out.niceness = 19;
  return out;
}

std::shared_ptr<const Confinement> confine_strangers(std::vector<std::string> readable,
                                                     std::vector<std::string> writable, Network network,
                                                     std::optional<std::uint16_t> way_out, Limits limits) {
  auto out = std::make_shared<Confinement>();
  const bool root = ::geteuid() == 0;
  if (root) out->user = capsule_user;
  out->network = network;
  if (network == Network::none) out->way_out = way_out;
  out->user_namespace = !root;
  out->network_namespace = network == Network::none;
  out->mount_namespace = true;
  out->pid_namespace = true;
  out->landlock = true;
  out->seccomp = true;
  out->readable = std::move(readable);
  out->writable = std::move(writable);
  out->limits = limits;
  return out;
}

}  // namespace capsule::process
