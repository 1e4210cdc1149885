#include "process/confinement.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace capsule::process {

namespace {

struct MachineMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};

/// By /proc/meminfo; without it, all of what the C library says.
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
  return out;
}

/// The kernel counts a user's threads on the whole machine, ours and those of other capsules too.
std::uint64_t threads_of_user(unsigned user) {
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

Limits usual_limits(std::optional<std::uint64_t> memory) {
  Limits out;
  const auto machine = memory_of_machine();
  if (machine.total != 0)
    out.memory = memory ? std::min(*memory, machine.available / 16 * 15)
                        : std::min(machine.total / 2, machine.available / 4 * 3);
  out.processes = 1024 + threads_of_user(::geteuid() == 0 ? capsule_user : ::geteuid());
  out.file_size = std::uint64_t{16} << 30U;
  out.disk_reserve = std::uint64_t{1} << 30U;
  out.open_files = 4096;
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
