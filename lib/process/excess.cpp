#include "process/excess.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "process/descendants.hpp"

namespace capsule::process {

namespace {

using Text = std::array<char, 4096>;

bool read_text(int folder, const char* name, Text& text) noexcept {
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (size <= 0) return false;
  text[static_cast<std::size_t>(size)] = '\0';
  return true;
}

/// Of the line `<label> <n> kB`, in bytes; -1 where there is no such line.
std::int64_t bytes_after(const Text& text, const char* label) noexcept {
  const char* at = std::strstr(text.data(), label);
  if (at == nullptr) return -1;
  at += std::strlen(label);
  while (*at == ' ' || *at == '\t') ++at;
  std::int64_t out = 0;
  for (; *at >= '0' && *at <= '9'; ++at) out = out * 10 + (*at - '0');
  return out * 1024;
}

/// Cheap, and never less than held_by(): with mapped files, and with what is shared counted for each.
std::int64_t seen_at(int folder) noexcept {
  Text text;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  if (!read_text(folder, "status", text)) return -1;
  const auto resident = bytes_after(text, "\nVmRSS:");
  return resident < 0 ? -1 : resident + std::max<std::int64_t>(bytes_after(text, "\nVmSwap:"), 0);
}

/// Walks the page tables. Each page counts in proportion to the number of processes that have it.
std::int64_t held_at(int folder) noexcept {
  Text text;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  if (!read_text(folder, "smaps_rollup", text)) return seen_at(folder);
  const auto anonymous = bytes_after(text, "\nPss_Anon:");
  const auto shared = bytes_after(text, "\nPss_Shmem:");
  const auto swapped = bytes_after(text, "\nSwapPss:");
  return anonymous < 0 || shared < 0 || swapped < 0 ? seen_at(folder) : anonymous + shared + swapped;
}

/// A process shows its memory by its first thread; where that has ended and others go on, by any of those.
template <std::int64_t (*measure_at)(int) noexcept>
std::int64_t measured(int folder) noexcept {
  const auto by_first = seen_at(folder);
  if (by_first >= 0) return measure_at(folder);
  const int tasks = ::openat(folder, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (tasks < 0) return 0;
  std::int64_t out = -1;
  Text entries;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const auto size = ::syscall(SYS_getdents64, tasks, entries.data(), entries.size());
  constexpr long size_at = 16;  // fields of an entry, by their offsets
  constexpr long name_at = 19;
  for (long at = 0; at < size && out < 0;) {
    const char* entry = entries.data() + at;
    std::uint16_t entry_size = 0;
    std::memcpy(&entry_size, entry + size_at, sizeof entry_size);
    at += entry_size;
    if (entry[name_at] == '.') continue;
    const int task = ::openat(tasks, entry + name_at, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (task < 0) continue;
    if (seen_at(task) >= 0) out = measure_at(task);
    ::close(task);
  }
  ::close(tasks);
  return out < 0 ? 0 : out;
}

}  // namespace

Excess excess(const Most& most) noexcept {
  const auto memory = static_cast<std::int64_t>(most.memory);
  const auto seen = sum_over_descendants(measured<seen_at>, most.processes);
  if (seen.count > most.processes) return Excess::processes;
  if (seen.sum <= memory) return Excess::none;
  return sum_over_descendants(measured<held_at>, most.processes).sum > memory ? Excess::memory : Excess::none;
}

bool can_see_descendants() noexcept {
  return sum_over_descendants([](int) noexcept { return std::int64_t{0}; }, 0).sum >= 0;
}

}  // namespace capsule::process
