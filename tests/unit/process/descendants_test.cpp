#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "marked.hpp"
#include "process/confinement.hpp"

using namespace capsule;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

process::Command confined(process::Command command) {
  command.confinement = process::confine_strangers({}, {});
  return command;
}

// Each process begins a session of its own, forks, and stays as a sleeper: 50 more each second, out of reach of any
// group. Linear on purpose, and at its end after 500: what grows faster would be a test of the machine.
constexpr auto scattering_bomb = R"(
import os, time
print('started', flush=True)
for i in range(500):
    if os.fork(): time.sleep(100)
    os.setsid()
    time.sleep(0.02)
)";
/// Runs `work` in a process of its own, and gives its wait status.
template <typename Work>
int in_another_process(Work work) {
  ::signal(SIGCHLD, SIG_DFL);  // ignored by our own caller, it would take the status away
  const pid_t pid = ::fork();
  if (pid == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

bool all_gone_within(const std::string& mark, std::chrono::milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (count_with_mark(mark) != 0) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace

TEST_CASE("a program that daemonises does not survive", "[as-user]") {
  // sh -c '… &' is adopted when its parent ends; setsid takes it out of session and group; it holds our pipes.
  const auto start = Clock::now();
  const auto daemon = shell("setsid sh -c 'trap \"\" HUP TERM; sleep 100 & sleep 100' & echo started");
  CHECK(run_and_check_nothing_is_left(daemon).output == "started\n");
  CHECK(run_and_check_nothing_is_left(confined(daemon)).output == "started\n");
  CHECK(Clock::now() - start < 2s);
}

TEST_CASE("a fork bomb is ended, in one group, over many, and confined", "[as-user]") {
  auto result = run_and_check_nothing_is_left(
      limited(shell("i=0; while [ $i -lt 500 ]; do sleep 100 & i=$((i+1)); done; sleep 100"), 300ms));
  CHECK(result.end == process::End::timed_out);
  result = run_and_check_nothing_is_left(limited(python(scattering_bomb), 300ms));
  CHECK(result.end == process::End::timed_out);
  CHECK(result.output == "started\n");
  result = run_and_check_nothing_is_left(limited(confined(python(scattering_bomb)), 300ms));
  CHECK(result.end == process::End::timed_out);
}

TEST_CASE("when the caller dies, however it does, its commands die", "[as-user]") {
  for (const bool is_confined : {false, true}) {
    auto command = shell("setsid sleep 100 & echo up; sleep 100");
    if (is_confined) command = confined(command);
    Marked marked{command};
    marked.command.on_output_line = [](std::string_view) { ::kill(::getpid(), SIGKILL); };
    const int status = in_another_process([&] { process::run(marked.command); });
    CHECK(WIFSIGNALED(status));
    CHECK(all_gone_within(marked.mark, 3s));
  }
}
