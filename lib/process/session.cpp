#include "process/session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "process/confined_child.hpp"
#include "process/exec_texts.hpp"
#include "process/pipes.hpp"
#include "process/registry.hpp"

namespace capsule::process {

namespace {

using std::chrono::milliseconds;

/// How long we go on reading pipes after the command's end, should a process beyond our reach hold them.
constexpr milliseconds patience_after_end{1000};
/// How long the supervisor may take for an end that was asked for, beside the grace.
constexpr milliseconds patience_with_supervisor{35'000};
/// How often it is looked at whether there is room for what is written.
constexpr milliseconds look_at_room{50};

std::string real_path(const std::string& path) {
  std::error_code error;
  const auto out = std::filesystem::canonical(path, error);
  return error ? path : out.string();
}

/// Keeps SIGPIPE from ending us when a child does not read its stdin, whatever the caller does with that signal.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() {
    ::sigemptyset(&m_pipe);
    ::sigaddset(&m_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &m_pipe, &m_before);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;
  ~NoBrokenPipeSignal() {
    const timespec at_once{};
    if (::sigismember(&m_before, SIGPIPE) == 0) ::sigtimedwait(&m_pipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &m_before, nullptr);
  }

 private:
  sigset_t m_pipe{};
  sigset_t m_before{};
};

/// One message, and the descriptor that came with it.
ssize_t receive(int socket, Report& report, fs::Fd& descriptor) {
  iovec part{&report, sizeof report};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const auto count = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  const cmsghdr* attached = count > 0 ? CMSG_FIRSTHDR(&header) : nullptr;
  if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(attached), sizeof fd);
    descriptor = fs::Fd{fd};
  }
  return count;
}

/// Rounded up: poll must not wake a moment too early, again and again.
int whole_milliseconds(std::chrono::steady_clock::duration duration) {
  const auto count = std::chrono::ceil<milliseconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(count, 0, 60'000));
}

}  // namespace

Session::Session(const Command& command, BeyondLimit beyond_limit)
    : m_command(command),
      m_beyond_limit(beyond_limit),
      m_output{{}, &m_result.output, LineBuffer{command.on_output_line}},
      m_error{{}, &m_result.error_output, LineBuffer{command.on_error_line}},
      m_unfed(command.input),
      m_start(Clock::now()) {
  if (command.confinement) {
    m_setup = std::make_unique<ConfinedChild>(*command.confinement, real_path(command.program));
    m_result.memory_limit = command.confinement->limits.memory;
    m_result.process_limit = command.confinement->limits.descendants;
    watch_room();
  }
  registry::enter([this] {
    launch();
    return registry::Entry{m_lifeline.get(), m_supervisor};
  });
  try {
    while (m_program < 0 && !m_ended && m_failure.empty()) read_report();
    if (m_program < 0) throw_failure();
  } catch (...) {
    shut();  // no destructor runs after a constructor that throws
    throw;
  }
}

void Session::watch_room() {
  const auto& confinement = *m_command.confinement;
  if (confinement.volume) {
    m_volume.emplace(*confinement.volume);
    m_result.held.emplace_back("volume-size");
  }
  if (!confinement.limits.disk_reserve || confinement.writable.empty()) return;
  m_disk.emplace(confinement.writable, *confinement.limits.disk_reserve);
  m_result.held.emplace_back("disk-reserve");
  if (const auto full = full_disk()) {
    throw Error{ErrorKind::unavailable,
                fmt::format("the disk of {} is nearly full, so that {} is not started: make room",
                            printable(full->folder, 1024), printable(m_command.program, 1024))};
  }
}

void Session::launch() {
  auto arguments = argument_texts(m_command);
  auto environment = environment_texts(m_command);
  check_text(m_command.folder, "a working folder");
  // The folder that we are in may be read-only in other mounts, until it is entered again.
  const auto folder = m_command.folder.empty() && m_setup ? real_path(".") : m_command.folder;
  const auto argument_pointers = pointers_to(arguments);
  const auto environment_pointers = pointers_to(environment);
  auto report = make_socket(m_command, SOCK_SEQPACKET);
  auto lifeline = make_socket(m_command, SOCK_STREAM);
  auto input = make_input(m_command);
  auto output = make_output(m_command);
  auto error = make_output(m_command);
  ChildPlan plan;
  plan.input = input.childs.get();
  plan.output = output.childs.get();
  plan.error = error.childs.get();
  plan.report = report.childs.get();
  plan.lifeline = lifeline.childs.get();
  plan.grace_ms = static_cast<int>(m_command.grace.count());
  plan.program = arguments.front().c_str();
  plan.arguments = argument_pointers.data();
  plan.environment = environment_pointers.data();
  plan.folder = folder.empty() ? nullptr : folder.c_str();
  plan.setup = m_setup.get();
  plan.spares_detached = m_command.spares_detached;
  if (m_command.confinement) plan.most = m_command.confinement->limits.together();
  // _Fork: the child calls nothing but what is async-signal-safe, so no library's fork handler is wanted.
  const pid_t supervisor = ::_Fork();
  if (supervisor == 0) supervise(plan);
  if (supervisor < 0) fail_to_start("fork for", m_command.program, errno);
  m_supervisor = supervisor;
  (m_command.input_later ? m_later_input : m_input) = std::move(input.ours);
  m_report = std::move(report.ours);
  m_lifeline = std::move(lifeline.ours);
  m_output.fd = std::move(output.ours);
  m_error.fd = std::move(error.ours);
}

void Session::shut() noexcept {
  if (!m_lifeline) return;
  send_order(m_lifeline.get(), Order::kill);
  while (::waitpid(m_supervisor, nullptr, 0) < 0 && errno == EINTR) {
  }
  m_gate.reset();
  registry::leave(m_lifeline.get());
  m_lifeline.reset();
}

void Session::throw_failure() const {
  if (m_failure.empty()) fail_to_start("start", m_command.program, ECHILD);
  if (m_failure == only_way_out_failure) {
    throw Error{
        ErrorKind::unmet_requirement,
        fmt::format("{} is not started: the kernel cannot keep it from the network beyond its one way out; that "
                    "needs a network namespace, or seccomp and Linux 6.7 (Landlock 4)",
                    printable(m_command.program, 400))};
  }
  fail_to_start(m_failure, m_command.program, m_failure_errno);
}

void Session::end_because(End reason) {
  if (m_ending || m_ended) return;
  m_ending = true;
  m_reason = reason;
  m_end_asked_at = Clock::now();
  request_end();
}

void Session::read_report() {
  Report report;
  fs::Fd descriptor;
  const auto count = receive(m_report.get(), report, descriptor);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count == sizeof report) {
    take(report, std::move(descriptor));
    return;
  }
  // The supervisor is gone without a last word: somebody killed it, and the program with it.
  if (!m_ended) m_status = SIGKILL;
  m_ended = true;
  m_ended_at = Clock::now();
  m_report.reset();
}

void Session::take(const Report& report, fs::Fd descriptor) {
  const std::string text = report.text.data();
  switch (report.kind) {
    case Report::Kind::started:
      m_program = report.value;
      break;
    case Report::Kind::held:
      m_result.held.push_back(text);
      break;
    case Report::Kind::missing:
      m_result.missing.push_back(
          fmt::format("{}: {}", text, std::strerror(report.value)));  // NOLINT(concurrency-mt-unsafe)
      break;
    case Report::Kind::way_out:
      if (descriptor) m_gate = std::make_unique<Gate>(std::move(descriptor), *m_command.confinement->way_out);
      break;
    case Report::Kind::failed:
      m_failure = text;
      m_failure_errno = report.value;
      break;
    case Report::Kind::over_memory:
      end_because(End::memory_limit);
      break;
    case Report::Kind::over_processes:
      end_because(End::process_limit);
      break;
    case Report::Kind::ended:
      m_ended = true;
      m_ended_at = Clock::now();
      m_status = report.value;
      m_result.usage.cpu = milliseconds{report.cpu_ms};
      m_result.usage.max_rss_bytes = report.max_rss_bytes;
      m_report.reset();
      break;
  }
}

void Session::feed_input() {
  const NoBrokenPipeSignal guard;
  const auto count = ::write(m_input.get(), m_unfed.data(), m_unfed.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) m_unfed.remove_prefix(static_cast<std::size_t>(count));
  if (count < 0 || m_unfed.empty()) m_input.reset();  // a child need not read all of it
}

void Session::feed(std::string_view text, milliseconds patience) {
  const NoBrokenPipeSignal guard;
  const auto deadline = Clock::now() + patience;
  while (!text.empty() && Clock::now() < deadline) {
    pollfd polled{m_later_input.get(), POLLOUT, 0};
    if (::poll(&polled, 1, whole_milliseconds(deadline - Clock::now())) <= 0) continue;
    const auto count = ::write(m_later_input.get(), text.data(), text.size());
    if (count < 0 && errno != EAGAIN && errno != EINTR) break;  // a child need not read all of it
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  m_later_input.reset();
}

void Session::drain(Stream& stream) {
  std::array<char, std::size_t{64} << 10U> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const auto count = ::read(stream.fd.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    stream.fd.reset();
    return;
  }
  if (&stream == &m_output) m_result.last_output_at = Clock::now();
  const std::string_view text{buffer.data(), static_cast<std::size_t>(count)};
  keep(stream, text);
  if (!m_ending || m_reason != End::output_limit) stream.lines.add(text);
}

void Session::keep(Stream& stream, std::string_view text) {
  auto& kept = *stream.kept;
  if (m_beyond_limit == BeyondLimit::end) {
    const auto room = m_command.output_limit - kept.size();
    kept += text.substr(0, room);
    if (text.size() > room) end_because(End::output_limit);
    return;
  }
  kept += text;
  if (kept.size() > m_command.output_limit) kept.erase(0, kept.size() - m_command.output_limit / 2);
}

bool Session::is_over() const {
  if (!m_ended) return false;
  return (!m_output.fd && !m_error.fd) || Clock::now() - m_ended_at > patience_after_end;
}

int Session::milliseconds_to_wait() const {
  const auto now = Clock::now();
  if (m_ended) return whole_milliseconds(m_ended_at + patience_after_end - now);
  if (m_ending) return whole_milliseconds(m_end_asked_at + m_command.grace + patience_with_supervisor - now);
  auto next = Clock::time_point::max();
  if (m_command.time_limit) next = m_start + *m_command.time_limit;
  if (m_disk || m_volume) next = std::min(next, m_room_seen_at + look_at_room);
  return next == Clock::time_point::max() ? -1 : whole_milliseconds(next - now);
}

void Session::check_time() {
  if (m_ended) return;
  const auto now = Clock::now();
  if (m_command.time_limit && now >= m_start + *m_command.time_limit) end_because(End::timed_out);
  // The program dies with its supervisor.
  if (m_ending && now >= m_end_asked_at + m_command.grace + patience_with_supervisor) ::kill(m_supervisor, SIGKILL);
}

std::optional<Full> Session::full_disk() const {
  return m_disk ? m_disk->short_of_room() : std::nullopt;
}

void Session::check_room() {
  const auto now = Clock::now();
  if ((!m_disk && !m_volume) || m_ending || m_ended || now < m_room_seen_at + look_at_room) return;
  m_room_seen_at = now;
  auto reason = End::disk_limit;
  auto full = full_disk();
  if (!full && m_volume) {
    reason = End::volume_limit;
    full = m_volume->overfull(now);
  }
  if (!full) return;
  m_result.full = std::move(full);
  end_because(reason);
  send_order(m_lifeline.get(), Order::kill);  // no grace, in which it would take the rest
}

void Session::poll_once() {
  std::array<pollfd, 4> polled{{{m_report.get(), POLLIN, 0},
                                {m_input.get(), POLLOUT, 0},
                                {m_output.fd.get(), POLLIN, 0},
                                {m_error.fd.get(), POLLIN, 0}}};
  if (::poll(polled.data(), polled.size(), milliseconds_to_wait()) <= 0) return;
  // Output before the report: what a program wrote before its end is taken before the end is seen.
  if (polled[2].revents != 0) drain(m_output);
  if (polled[3].revents != 0) drain(m_error);
  if (polled[1].revents != 0) feed_input();
  if (polled[0].revents != 0) read_report();
}

Result Session::wait() {
  while (!is_over()) {
    poll_once();
    check_time();
    check_room();
  }
  return finish();
}

Result Session::finish() {
  m_output.lines.finish();
  m_error.lines.finish();
  shut();
  if (m_ending) {
    m_result.end = m_reason;
  } else if (WIFSIGNALED(m_status)) {
    m_result.end = End::signalled;
  }
  // The kernel ends what takes more than a control group may have, such as a pod's.
  if (m_result.end == End::signalled && WTERMSIG(m_status) == SIGKILL && cgroup_kills() > m_cgroup_kills)
    m_result.end = End::memory_limit;
  // A small disk is full before it is looked at: the program got ENOSPC.
  if (m_result.end == End::exited && m_status != 0 && (m_result.full = full_disk())) m_result.end = End::disk_limit;
  if (WIFSIGNALED(m_status)) m_result.signal = WTERMSIG(m_status);
  if (WIFEXITED(m_status)) m_result.exit_code = WEXITSTATUS(m_status);
  m_result.ended_at = m_ended_at;
  m_result.usage.wall = std::chrono::duration_cast<milliseconds>(m_ended_at - m_start);
  return std::move(m_result);
}

}  // namespace capsule::process
