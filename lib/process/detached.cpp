#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/error.hpp"
#include "fs/fd.hpp"
#include "process/exec_texts.hpp"
#include "process/process.hpp"
#include "process/supervisor.hpp"

namespace capsule::process {

namespace {

/// All that the child needs, made before the fork: after it, nothing may allocate.
struct Plan {
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* folder = nullptr;
  int input = -1;
  int log = -1;
  int failure = -1;  ///< takes errno; closed by exec
};

[[noreturn]] void fail(const Plan& plan) noexcept {
  const int error = errno;
  while (::write(plan.failure, &error, sizeof error) < 0 && errno == EINTR) {
  }
  ::_exit(127);
}

/// In the second child, whose parent ends at once, so that nobody has to wait for it.
[[noreturn]] void become_program(const Plan& plan) noexcept {
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.log, 1) < 0 || ::dup2(plan.log, 2) < 0) fail(plan);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  ::umask(022);
  reset_signals();
  if (::chdir(plan.folder) != 0) fail(plan);
  ::execve(plan.arguments[0], plan.arguments, plan.environment);
  fail(plan);
}

[[noreturn]] void detach(const Plan& plan) noexcept {
  ::setsid();
  const pid_t second = ::_Fork();
  if (second == 0) become_program(plan);
  if (second < 0) fail(plan);
  ::_exit(0);
}

fs::Fd open_file(const std::string& path, int flags) {
  fs::Fd out{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
  if (!out) fs::throw_errno("open", path, errno);
  if (out.get() > 2) return out;
  return fs::Fd{::fcntl(out.get(), F_DUPFD_CLOEXEC, 3)};
}

}  // namespace

void start_detached(const Command& command, const std::string& log) {
  auto arguments = argument_texts(command);
  auto environment = environment_texts(command);
  const auto argument_pointers = pointers_to(arguments);
  const auto environment_pointers = pointers_to(environment);
  const auto folder = command.folder.empty() ? std::string{"/"} : command.folder;
  const auto input = open_file("/dev/null", O_RDONLY);
  const auto output = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fs::throw_errno("make a pipe for", command.program, errno);
  const fs::Fd failure{ends[0]};
  fs::Fd childs{::fcntl(ends[1], F_DUPFD_CLOEXEC, 3)};
  ::close(ends[1]);
  const Plan plan{
      argument_pointers.data(), environment_pointers.data(), folder.c_str(), input.get(), output.get(), childs.get()};
  const pid_t first = ::_Fork();
  if (first < 0) fs::throw_errno("fork for", command.program, errno);
  if (first == 0) detach(plan);
  childs.reset();
  while (::waitpid(first, nullptr, 0) < 0 && errno == EINTR) {
  }
  int error = 0;
  ssize_t count = 0;
  while ((count = ::read(failure.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (count == sizeof error) fs::throw_errno("start", command.program, error);
}

}  // namespace capsule::process
