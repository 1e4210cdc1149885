#include "deploy/host.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>

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

bool has_digits_after(std::string_view name, std::string_view prefix) {
  return name.size() > prefix.size() && name.starts_with(prefix) &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> gpu_devices() {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{"/dev", ignored}) {
    if (has_digits_after(entry.path().filename().string(), "nvidia")) out.push_back(entry.path().string());
  }
  // AMD's compute driver has one node for all GPUs; its render nodes count them.
  if (std::filesystem::exists("/dev/kfd", ignored)) {
    for (const auto& entry : std::filesystem::directory_iterator{"/dev/dri", ignored}) {
      if (has_digits_after(entry.path().filename().string(), "renderD")) out.push_back(entry.path().string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::uint64_t> amd_gpu_memory() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{"/sys/class/drm", ignored}) {
    const auto file = entry.path() / "device/mem_info_vram_total";
    if (!std::filesystem::exists(file, ignored)) continue;
    const auto text = first_line(file);
    std::uint64_t bytes = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc{}) return bytes;
  }
  return std::nullopt;
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
  host.gpus = gpu_devices();
  if (!host.gpus.empty()) host.gpu_memory_bytes = amd_gpu_memory();
  return host;
}

}  // namespace capsule::deploy
