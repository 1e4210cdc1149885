#include "deploy/host.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"

namespace capsule::deploy {

namespace {

std::string go_architecture(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string{machine};
}

std::string first_line(const fs::Path& file) {
  auto text = fs::read_file(file, 4096);
  return text.substr(0, text.find('\n'));
}

/// The machine id is confidential (machine-id(5)), so only a hash of it, for this application, goes out.
std::string machine_id(const fs::Path& state_folder) {
  const fs::Path system{"/etc/machine-id"};
  const auto own = state_folder / "machine-id";
  std::string id;
  if (std::filesystem::exists(system)) id = first_line(system);
  if (id.empty() && std::filesystem::exists(own)) id = first_line(own);
  if (id.empty()) {
    id = to_hex(crypto::random_bytes(16));
    std::filesystem::create_directories(state_folder);
    fs::write_file(own, id + "\n");
  }
  return std::string{crypto::sha256("capsule-loop:" + id).hex().substr(0, 16)};
}

}  // namespace

Host inspect_host(const fs::Path& state_folder) {
  utsname names{};
  struct sysinfo info {};
  if (::uname(&names) != 0 || ::sysinfo(&info) != 0)
    throw Error{ErrorKind::unavailable, "the kernel does not say what machine this is"};
  Host host;
  host.name = names.nodename;
  host.id = machine_id(state_folder);
  host.arch = go_architecture(names.machine);
  host.memory_bytes = std::uint64_t{info.totalram} * info.mem_unit;
  host.processors = static_cast<unsigned>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
  const DriverFolders drivers;
  host.gpus = find_gpus(drivers);
  if (!host.gpus.empty()) host.gpu_memory_bytes = find_gpu_memory(drivers);
  return host;
}

}  // namespace capsule::deploy
