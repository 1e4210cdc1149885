#include <algorithm>
#include <charconv>

#include "deploy/host.hpp"

namespace capsule::deploy {

namespace {

bool has_digits_after(std::string_view name, std::string_view prefix) {
  return name.size() > prefix.size() && name.starts_with(prefix) &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

void add_numbered(std::vector<std::string>& out, const fs::Path& folder, std::string_view prefix) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    if (has_digits_after(entry.path().filename().string(), prefix)) out.push_back(entry.path().string());
  }
}

}  // namespace

std::vector<std::string> find_gpus(const DriverFolders& folders) {
  std::vector<std::string> out;
  add_numbered(out, folders.dev, "nvidia");
  std::error_code ignored;
  if (std::filesystem::exists(folders.dev / "kfd", ignored)) add_numbered(out, folders.dev / "dri", "renderD");
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::uint64_t> find_gpu_memory(const DriverFolders& folders) {
  std::optional<std::uint64_t> least;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folders.sys / "class/drm", ignored}) {
    const auto file = entry.path() / "device/mem_info_vram_total";
    if (!std::filesystem::exists(file, ignored)) continue;
    const auto text = fs::read_file(file, 4096);
    std::uint64_t bytes = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec != std::errc{}) continue;
    least = std::min(least.value_or(bytes), bytes);
  }
  return least;
}

}  // namespace capsule::deploy
