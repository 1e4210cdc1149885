#include "process/supervisor.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "process/descendants.hpp"
#include "process/excess.hpp"

namespace capsule::process {

namespace {

/// A process in the middle of broken input or output cannot be killed; nobody shall wait for ever.
constexpr std::int64_t sweep_limit_ms = 30'000;
constexpr std::int64_t kill_again_ms = 100;
/// How often it is looked at what the program has; seldomer where looking takes long.
constexpr std::int64_t look_ms = 50;
constexpr std::int64_t times_as_long = 4;
constexpr int failed_to_start = 127;

std::int64_t now_ms() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

void close_range(unsigned first, unsigned last, unsigned flags = 0) noexcept {
  if (first <= last) ::syscall(SYS_close_range, first, last, flags);
}

/// No dup2 onto 0 to 2 may hit what it gives.
int above_standard(int fd) noexcept {
  if (fd < 0 || fd > 2) return fd;
  const int out = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  ::close(fd);
  return out;
}

/// Closes all but these.
template <std::size_t count>
void close_others(std::array<int, count> kept) noexcept {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1);
    next = number + 1;
  }
  close_range(next, ~0U);
}

pid_t number_in(const char* text) noexcept {
  pid_t out = 0;
  for (; *text >= '0' && *text <= '9'; ++text) out = out * 10 + (*text - '0');
  return out;
}

class Supervisor {
 public:
  Supervisor(const ChildPlan& plan, pid_t program) noexcept : m_plan(plan), m_program(program) {
    sigset_t signals{};
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGCHLD);
    m_signals = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (m_plan.most.is_limited()) m_look_at = now_ms() + look_ms;
  }

  [[noreturn]] void watch() noexcept {
    reap();
    while (!m_ended) {
      std::array<pollfd, 2> polled{{{m_signals, POLLIN, 0}, {m_orphaned ? -1 : m_plan.lifeline, POLLIN, 0}}};
      // The time-out also covers a SIGCHLD that was merged with another one.
      ::poll(polled.data(), polled.size(), std::min(milliseconds_until(m_kill_at), milliseconds_until(m_look_at)));
      drain_signals();
      reap();
      if (m_ended) break;
      if (polled[1].revents != 0) obey();
      look();
      if (m_kill_at >= 0 && now_ms() >= m_kill_at) {
        kill_group(SIGKILL);
        m_kill_at = now_ms() + kill_again_ms;
      }
    }
    sweep();
    Report report;
    report.value = m_status;
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto milliseconds = [](const timeval& time) {
      return std::int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000;
    };
    report.cpu_ms = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
    report.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    send(m_plan.report, report);
    ::_exit(0);
  }

 private:
  /// At most a second; `time` may be -1 for never.
  static int milliseconds_until(std::int64_t time) noexcept {
    return time < 0 ? 1000 : static_cast<int>(std::clamp<std::int64_t>(time - now_ms(), 0, 1000));
  }

  /// Over its limit the program gets no grace, in which it would take more.
  void look() noexcept {
    const auto start = now_ms();
    if (m_look_at < 0 || start < m_look_at) return;
    const auto found = excess(m_plan.most);
    const auto end = now_ms();
    m_look_at = end + std::max(look_ms, times_as_long * (end - start));
    if (found == Excess::none) return;
    m_look_at = -1;
    send(m_plan.report, found == Excess::memory ? Report::Kind::over_memory : Report::Kind::over_processes, "");
    m_kill_at = end;
  }

  void drain_signals() const noexcept {
    signalfd_siginfo info{};
    while (::read(m_signals, &info, sizeof info) > 0) {
    }
  }

  /// Waits for all children that have ended; false when there are no children at all.
  bool reap() noexcept {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != m_program) continue;
      m_ended = true;
      m_status = status;
    }
    return pid == 0;
  }

  void kill_group(int signal) const noexcept {
    ::kill(-m_program, signal);
    ::kill(m_program, signal);  // it may not have made its group yet
  }

  void obey() noexcept {
    char order = 0;
    const auto count = ::read(m_plan.lifeline, &order, 1);
    if (count < 0) return;
    m_orphaned = count == 0;
    if (count == 1 && order == static_cast<char>(Order::terminate)) {
      kill_group(SIGTERM);
      if (m_kill_at < 0) m_kill_at = now_ms() + m_plan.grace_ms;
    } else {
      m_kill_at = now_ms();
    }
  }

  /// Ends what the program left behind. Descendants in other groups come to us when their parents die, so this is
  /// repeated until there are none.
  void sweep() noexcept {
    const auto give_up_at = now_ms() + sweep_limit_ms;
    ::kill(-m_program, SIGKILL);
    if (m_plan.spares_detached && WIFEXITED(m_status)) {
      // The program's session alone: what was detached has one of its own.
      while (kill_descendants(m_program) && now_ms() < give_up_at) reap();
      return;
    }
    while (reap() && now_ms() < give_up_at) {
      if (::getpid() == 1) {
        ::kill(-1, SIGKILL);
      } else {
        kill_descendants();
      }
      pollfd polled{m_signals, POLLIN, 0};
      ::poll(&polled, 1, 20);
      drain_signals();
    }
  }

  const ChildPlan& m_plan;
  pid_t m_program;
  int m_signals = -1;
  bool m_ended = false;
  bool m_orphaned = false;
  int m_status = 0;
  std::int64_t m_kill_at = -1;
  std::int64_t m_look_at = -1;  ///< when to look at what it has
};

[[noreturn]] void fail(const ChildPlan& plan, const char* doing) noexcept {
  send(plan.report, Report::Kind::failed, doing, errno);
  ::_exit(failed_to_start);
}

/// Our process id as the caller knows it: in a PID namespace getpid() says another one.
void tell_own_pid(int to, int caller_proc) noexcept {
  std::array<char, 16> text{};
  pid_t pid = ::getpid();
  if (caller_proc >= 0 && ::readlinkat(caller_proc, "self", text.data(), text.size() - 1) > 0)
    pid = number_in(text.data());
  while (::write(to, &pid, sizeof pid) < 0 && errno == EINTR) {
  }
}

/// The kernel forgets this when the process changes its user.
void die_with(const ChildPlan& plan, pid_t supervisor) noexcept {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(plan, "tie to its parent");
  if (::getppid() != supervisor) ::_exit(failed_to_start);  // it died before the line above
}

/// What the program-to-be knows of its supervisor.
struct Origin {
  pid_t supervisor = 0;
  int until_exec = -1;   ///< closed by exec
  int caller_proc = -1;  ///< /proc as the caller sees it
};

/// In the process that becomes the program.
[[noreturn]] void become_program(const ChildPlan& plan, const Origin& origin) noexcept {
  tell_own_pid(origin.until_exec, origin.caller_proc);
  ::setsid();
  die_with(plan, origin.supervisor);
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.error, 2) < 0)
    fail(plan, "connect stdin, stdout and stderr of");
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::umask(022);
  reset_signals();
  if (plan.setup != nullptr) {
    if (!plan.setup->confine(plan.report)) ::_exit(failed_to_start);
    die_with(plan, origin.supervisor);
  }
  if (plan.folder != nullptr && ::chdir(plan.folder) != 0) fail(plan, "enter the working folder of");
  ::execve(plan.program, plan.arguments, plan.environment);
  fail(plan, "start");
}

/// The first child stays outside of its PID namespace, where it can be waited for, and does nothing else. Returns in
/// process 1 of the namespace, or in the first child when there is no namespace to be had.
void enter_pid_namespace(const ChildPlan& plan) noexcept {
  if (::unshare(CLONE_NEWPID) != 0) {
    send(plan.report, Report::Kind::missing, "pid-namespace", errno);
    return;
  }
  const pid_t first = ::_Fork();
  if (first < 0) fail(plan, "fork for");
  if (first == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    send(plan.report, Report::Kind::held, "pid-namespace");
    return;
  }
  close_range(0, ~0U);
  int status = 0;
  while (::waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

/// By the kernel's own calls: the C library keeps two real-time signals to itself, and would hand on what our caller
/// has done with them.
void reset_signals() noexcept {
  struct {
    std::uintptr_t handler, flags, restorer;
    std::uint64_t mask;
  } const by_default{};
  const std::uint64_t none = 0;
  for (int signal = 1; signal <= 64; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof none);
  }
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
}

void send(int report, const Report& message) noexcept {
  while (::send(report, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void send(int report, Report::Kind kind, const char* text, int error) noexcept {
  Report message;
  message.kind = kind;
  message.value = error;
  std::memcpy(message.text.data(), text, std::min(std::strlen(text), message.text.size() - 1));
  send(report, message);
}

void send_descriptor(int report, Report::Kind kind, int descriptor) noexcept {
  Report message;
  message.kind = kind;
  iovec part{&message, sizeof message};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof descriptor)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* attached = CMSG_FIRSTHDR(&header);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(attached), &descriptor, sizeof descriptor);
  while (::sendmsg(report, &header, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void send_order(int lifeline, Order order) noexcept {
  const char message = static_cast<char>(order);
  while (::send(lifeline, &message, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
  }
}

void supervise(const ChildPlan& plan) noexcept {
  sigset_t all{};
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would take the children's statuses away
  ::setpgid(0, 0);             // a terminal's ^C is the caller's to handle
  close_others(std::array{plan.input, plan.output, plan.error, plan.report, plan.lifeline});
  Origin origin;
  if (plan.setup != nullptr) plan.setup->begin(plan.report);
  if (plan.setup != nullptr && plan.setup->wants_pid_namespace()) {
    origin.caller_proc = above_standard(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    enter_pid_namespace(plan);
  }
  if (::getpid() != 1) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (plan.setup != nullptr) plan.setup->prepare(plan.report);
  if (plan.most.is_limited()) {
    const bool seen = can_see_descendants();
    send(plan.report, seen ? Report::Kind::held : Report::Kind::missing, "memory-sum", seen ? 0 : errno);
  }
  std::array<int, 2> exec_pipe{};  // its end of file: exec has succeeded, or the program-to-be is gone
  if (::pipe2(exec_pipe.data(), O_CLOEXEC) != 0) fail(plan, "make a pipe for");
  origin.until_exec = above_standard(exec_pipe[1]);
  origin.supervisor = ::getpid();
  const pid_t program = ::_Fork();
  if (program < 0) fail(plan, "fork for");
  if (program == 0) become_program(plan, origin);
  close_others(std::array{plan.report, plan.lifeline, exec_pipe[0]});
  Report started;
  started.kind = Report::Kind::started;
  started.value = program;
  pid_t told = 0;
  for (ssize_t count = 1; count != 0;) {
    count = ::read(exec_pipe[0], &told, sizeof told);
    if (count > 0) started.value = told;
    if (count < 0 && errno != EINTR) break;
  }
  ::close(exec_pipe[0]);
  send(plan.report, started);
  Supervisor{plan, program}.watch();
}

}  // namespace capsule::process
