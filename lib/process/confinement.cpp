#include "process/confinement.hpp"

#include <unistd.h>

namespace capsule::process {

Limits usual_limits() {
  Limits out;
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) out.memory = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  out.processes = 1024;
  out.file_size = std::uint64_t{16} << 30U;
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
