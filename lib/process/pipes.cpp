#include "process/pipes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.hpp"

namespace capsule::process {

namespace {

/// Above 2, so that no dup2 in the child overwrites another one.
fs::Fd above_standard(int fd) {
  if (fd < 0 || fd > 2) return fs::Fd{fd};
  const fs::Fd low{fd};
  return fs::Fd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
}

enum class Direction { from_child, to_child };

Pair make_pipe(const Command& command, Direction direction) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_to_start("make a pipe for", command.program, errno);
  Pair out{above_standard(ends[0]), above_standard(ends[1])};
  if (!out.ours || !out.childs) fail_to_start("make a pipe for", command.program, errno);
  if (direction == Direction::to_child) std::swap(out.ours, out.childs);
  return out;
}

}  // namespace

void fail_to_start(std::string_view doing, const std::string& program, int error) {
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    throw Error{ErrorKind::unavailable, fmt::format("{} {}: {}", doing, printable(program, 1024),
                                                    std::strerror(error))};  // NOLINT(concurrency-mt-unsafe)
  }
  fs::throw_errno(doing, program, error);
}

Pair make_socket(const Command& command, int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0)
    fail_to_start("make a socket for", command.program, errno);
  Pair out{above_standard(ends[0]), above_standard(ends[1])};
  if (!out.ours || !out.childs) fail_to_start("make a socket for", command.program, errno);
  return out;
}

Pair make_input(const Command& command) {
  if (!command.input.empty() || command.input_later) {
    auto out = make_pipe(command, Direction::to_child);
    ::fcntl(out.ours.get(), F_SETFL, O_NONBLOCK);
    return out;
  }
  Pair out{{}, above_standard(::open("/dev/null", O_RDONLY | O_CLOEXEC))};
  // A root without /dev: a pipe without a writer is at its end as well.
  if (!out.childs) out.childs = std::move(make_pipe(command, Direction::to_child).childs);
  return out;
}

Pair make_output(const Command& command) {
  auto out = make_pipe(command, Direction::from_child);
  ::fcntl(out.ours.get(), F_SETFL, O_NONBLOCK);
  return out;
}

}  // namespace capsule::process
