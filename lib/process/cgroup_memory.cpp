#include "process/cgroup_memory.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace capsule::process {

namespace {

using Path = std::filesystem::path;

/// Version 1 says "no limit" by a number that no machine has.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 60U;

/// The files that one version has in each group's folder.
struct Version {
  const char* limit;
  const char* used;
  const char* cache;  ///< label in memory.stat
  const char* kills;  ///< has the label oom_kill
};
constexpr Version first{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control"};
constexpr Version second{"memory.max", "memory.current", "inactive_file", "memory.events"};

std::optional<std::uint64_t> number_in(const Path& file) {
  std::ifstream stream{file};
  std::uint64_t out = 0;
  if (stream >> out) return out;
  return std::nullopt;  // "max", too
}

std::uint64_t labelled(const Path& file, std::string_view wanted) {
  std::ifstream stream{file};
  std::string label;
  std::uint64_t value = 0;
  while (stream >> label >> value) {
    if (label == wanted) return value;
  }
  return 0;
}

void narrow(std::optional<CgroupMemory>& found, const Path& folder, const Version& version) {
  const auto limit = number_in(folder / version.limit);
  if (!limit || *limit >= no_limit) return;
  const auto used = number_in(folder / version.used).value_or(0);
  const auto held = used - std::min(used, labelled(folder / "memory.stat", version.cache));
  const CgroupMemory here{*limit, *limit - std::min(*limit, held)};
  if (!found) found = here;
  found->limit = std::min(found->limit, here.limit);
  found->available = std::min(found->available, here.available);
}

/// A line of mountinfo: "… <root> <mount point> … - <type> <source> <options>".
struct Mount {
  Path root;
  Path point;
  bool is_second = false;
};

std::optional<Mount> memory_mount(const std::string& line) {
  std::istringstream words{line};
  std::vector<std::string> list;
  for (std::string word; words >> word;) list.push_back(word);
  const auto dash = std::find(list.begin(), list.end(), "-");
  if (list.size() < 6 || list.end() - dash < 4) return std::nullopt;
  const auto& options = "," + dash[3] + ",";
  const bool is_second = dash[1] == "cgroup2";
  if (!is_second && (dash[1] != "cgroup" || options.find(",memory,") == std::string::npos)) return std::nullopt;
  return Mount{list[3], list[4], is_second};
}

/// The path of our group in a hierarchy, by a line of /proc/self/cgroup: "0::/a" or "7:memory:/a".
std::optional<Path> group_in(const Path& file, bool is_second) {
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    const auto first_colon = line.find(':');
    const auto second_colon = line.find(':', first_colon + 1);
    if (second_colon == std::string::npos) continue;
    const auto controllers = "," + line.substr(first_colon + 1, second_colon - first_colon - 1) + ",";
    if (is_second ? controllers == ",," : controllers.find(",memory,") != std::string::npos)
      return Path{line.substr(second_colon + 1)};
  }
  return std::nullopt;
}

/// What is mounted may be a part of the hierarchy, as in a container; what is above it nobody here can see.
Path below_mount(const Path& group, const Path& root) {
  auto relative = group.lexically_relative(root);
  if (relative.empty() || *relative.begin() == "..") return {};
  return relative;
}

/// The folders of the groups from what is mounted down to ours, of each version that counts memory.
std::vector<std::pair<Path, const Version*>> groups(const Path& root) {
  std::vector<std::pair<Path, const Version*>> out;
  std::ifstream mounts{root / "proc/self/mountinfo"};
  for (std::string line; std::getline(mounts, line);) {
    const auto mount = memory_mount(line);
    if (!mount) continue;
    const auto& version = mount->is_second ? second : first;
    auto folder = root / mount->point.relative_path();
    out.emplace_back(folder, &version);
    const auto group = group_in(root / "proc/self/cgroup", mount->is_second);
    if (!group) continue;
    for (const auto& part : below_mount(*group, mount->root)) out.emplace_back(folder /= part, &version);
  }
  return out;
}

}  // namespace

std::optional<CgroupMemory> cgroup_memory(const Path& root) {
  std::optional<CgroupMemory> found;
  for (const auto& [folder, version] : groups(root)) narrow(found, folder, *version);
  return found;
}

std::uint64_t cgroup_kills(const Path& root) {
  std::uint64_t out = 0;
  for (const auto& [folder, version] : groups(root)) out += labelled(folder / version->kills, "oom_kill");
  return out;
}

}  // namespace capsule::process
