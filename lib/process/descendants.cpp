#include "process/descendants.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace capsule::process {

namespace {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  bool is_ours = false;
};

/// Static, since nothing may be allocated, and a thread's stack may be small. Used in a supervisor alone, which has one
/// thread. What does not fit is seen by the next pass.
std::array<Process, std::size_t{32} << 10U> processes;
std::array<char, 8192> entries;

pid_t number_in(const char* text) noexcept {
  pid_t out = 0;
  for (; *text >= '0' && *text <= '9'; ++text) out = out * 10 + (*text - '0');
  return out;
}

/// The parent's process id in /proc/<name>/stat; 0 when there is no such process.
pid_t parent_of(int proc, const char* name) noexcept {
  std::array<char, 32> path{};
  const auto length = std::min(std::strlen(name), path.size() - 6);
  std::memcpy(path.data(), name, length);
  std::memcpy(path.data() + length, "/stat", 6);
  const int fd = ::openat(proc, path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 512> text{};
  const auto size = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (size <= 0) return 0;
  // The name of the program may hold anything, a ')' too: the last one counts.
  const char* end = ::strrchr(text.data(), ')');
  if (end == nullptr || std::strlen(end) < 5) return 0;
  return number_in(end + 4);
}

/// getdents64(2) itself, since readdir(3) allocates. The fields of an entry, by their offsets.
constexpr std::size_t size_at = 16;
constexpr std::size_t name_at = 19;

std::size_t list_processes(int proc) noexcept {
  std::size_t count = 0;
  while (true) {
    const auto size = ::syscall(SYS_getdents64, proc, entries.data(), entries.size());
    if (size <= 0) return count;
    for (long at = 0; at < size;) {
      const char* entry = entries.data() + at;
      std::uint16_t entry_size = 0;
      std::memcpy(&entry_size, entry + size_at, sizeof entry_size);
      at += entry_size;
      const char* name = entry + name_at;
      if (*name < '1' || *name > '9' || count == processes.size()) continue;
      processes[count++] = {number_in(name), parent_of(proc, name), false};
    }
  }
}

/// Marks what is below `top`; most parents stand before their children, so that this takes few rounds.
void mark_descendants(std::size_t count, pid_t top) noexcept {
  const auto end = processes.begin() + static_cast<std::ptrdiff_t>(count);
  const auto is_ours = [&](pid_t pid) {
    if (pid == top) return true;
    const auto parent = std::lower_bound(processes.begin(), end, pid,
                                         [](const Process& process, pid_t wanted) { return process.pid < wanted; });
    return parent != end && parent->pid == pid && parent->is_ours;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto process = processes.begin(); process != end; ++process) {
      if (process->is_ours || !is_ours(process->parent)) continue;
      process->is_ours = true;
      changed = true;
    }
  }
}

void number_to(pid_t pid, std::array<char, 16>& text) noexcept {
  std::array<char, 16> digits{};
  std::size_t count = 0;
  for (; pid > 0; pid /= 10) digits[count++] = static_cast<char>('0' + pid % 10);
  for (std::size_t i = 0; i < count; ++i) text[i] = digits[count - 1 - i];
  text[count] = '\0';
}

/// A process that is not our own child may be gone by now, and its number given to a stranger: the descriptor holds on
/// to one process, which is the one meant if its parent is still the same.
void kill_surely(int proc, const Process& process) noexcept {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0) return;
  std::array<char, 16> name{};
  number_to(process.pid, name);
  const pid_t parent = parent_of(proc, name.data());
  if (parent == process.parent || parent == ::getpid()) ::syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0);
  ::close(fd);
}

/// Fills `processes`, with those below `top` marked.
std::size_t look_below(int proc, pid_t top) noexcept {
  const auto count = list_processes(proc);
  // The kernel lists them in order; that is not promised.
  std::sort(processes.begin(), processes.begin() + static_cast<std::ptrdiff_t>(count),
            [](const Process& left, const Process& right) { return left.pid < right.pid; });
  mark_descendants(count, top);
  return count;
}

}  // namespace

bool kill_descendants(int session) noexcept {
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return false;
  const auto count = look_below(proc, ::getpid());
  bool found = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!processes[i].is_ours || (session != 0 && ::getsid(processes[i].pid) != session)) continue;
    kill_surely(proc, processes[i]);
    found = true;
  }
  ::close(proc);
  return found;
}

Descendants sum_over_descendants(std::int64_t (*measure)(int folder) noexcept, std::size_t most) noexcept {
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return {0, -1};
  // Our number there: it is not getpid() where a PID namespace has no /proc of its own.
  std::array<char, 16> name{};
  if (::readlinkat(proc, "self", name.data(), name.size() - 1) <= 0) {
    ::close(proc);
    return {0, -1};
  }
  const auto count = look_below(proc, number_in(name.data()));
  const auto end = processes.begin() + static_cast<std::ptrdiff_t>(count);
  Descendants out;
  out.count = static_cast<std::size_t>(
      std::count_if(processes.begin(), end, [](const Process& process) { return process.is_ours; }));
  for (std::size_t i = 0; i < count && out.count <= most; ++i) {
    if (!processes[i].is_ours) continue;
    number_to(processes[i].pid, name);
    const int folder = ::openat(proc, name.data(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;
    out.sum += measure(folder);
    ::close(folder);
  }
  ::close(proc);
  return out;
}

}  // namespace capsule::process
