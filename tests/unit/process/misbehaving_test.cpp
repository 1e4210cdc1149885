#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <thread>

#include "core/error.hpp"
#include "fs/fd.hpp"
#include "process/process.hpp"

using namespace std::chrono_literals;
namespace fs = capsule::fs;
using capsule::process::Background;
using capsule::process::Command;
using capsule::process::End;
using capsule::process::run;

namespace {

using Clock = std::chrono::steady_clock;

/// A tiny misbehaving program.
Command python(std::string code) {
  Command command;
  command.program = "/usr/bin/python3";
  command.arguments = {"-I", "-S", "-c", std::move(code)};
  return command;
}

Command shell(std::string code) {
  Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", std::move(code)};
  return command;
}

/// Whether a process is there and no zombie.
bool is_alive(int pid) {
  if (::kill(pid, 0) != 0) return false;
  try {
    const auto text = fs::read_file(fs::Path{"/proc"} / std::to_string(pid) / "stat", 4096);
    const auto state = text.at(text.rfind(')') + 2);
    return state != 'Z' && state != 'X';
  } catch (const capsule::Error&) {
    return false;
  }
}

bool dies_soon(int pid) {
  for (int i = 0; i < 300; ++i) {
    if (!is_alive(pid)) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

capsule::ErrorKind kind_of_failure(const Command& command) {
  try {
    run(command);
  } catch (const capsule::Error& error) {
    return error.kind();
  }
  FAIL("it started");
  return capsule::ErrorKind::usage;
}

int number_of_fds() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++count;
  return count;
}

}  // namespace

TEST_CASE("an argument stays one argument, whatever is in it") {
  Command command;
  command.program = "/usr/bin/printf";
  command.arguments = {"<%s>", "a b", "$(id)", "; rm -rf /", "'\"\n", "-x"};
  CHECK(run(command).output == "<a b><$(id)><; rm -rf /><'\"\n><-x>");
}

TEST_CASE("the environment is what the command says, and nothing else") {
  ::setenv("CAPSULE_TEST_LEAK", "yes", 1);
  Command command;
  command.program = "/usr/bin/env";
  CHECK(run(command).output.empty());
  command.environment = {{"A", "1=2"}, {"B", ""}};
  CHECK(run(command).output == "A=1=2\nB=\n");
}

TEST_CASE("a program is never looked up in PATH") {
  Command command;
  command.program = "sh";
  command.environment = {{"PATH", "/bin"}};
  CHECK(kind_of_failure(command) == capsule::ErrorKind::not_found);
}

TEST_CASE("what cannot be started is an error of its kind, and leaves no descriptor behind") {
  Command command;
  command.program = "/nonexistent/program";
  kind_of_failure(command);
  const auto before = number_of_fds();
  CHECK(kind_of_failure(command) == capsule::ErrorKind::not_found);
  command.program = "/etc/passwd";
  CHECK(kind_of_failure(command) == capsule::ErrorKind::denied);
  command.program = "/bin/sh";
  command.folder = "/nonexistent";
  CHECK(kind_of_failure(command) == capsule::ErrorKind::not_found);
  CHECK(number_of_fds() == before);
}

TEST_CASE("the working folder is the command's") {
  auto command = shell("pwd");
  command.folder = "/usr";
  CHECK(run(command).output == "/usr\n");
}

TEST_CASE("a signal's death is told apart from an exit") {
  const auto result = run(shell("kill -9 $$"));
  CHECK(result.end == End::signalled);
  CHECK(result.signal == SIGKILL);
  CHECK(result.describe() == "signal 9 (Killed)");
}

TEST_CASE("a child has its own session, no signal mask, no ignored signal, and descriptors 0 to 2 alone") {
  sigset_t set{};
  sigset_t before{};
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  ::signal(SIGPIPE, SIG_IGN);
  // One that the C library keeps to itself: only the kernel's own call ignores it, and undoes that.
  constexpr int reserved = 32;
  std::array<std::uintptr_t, 4> action{reinterpret_cast<std::uintptr_t>(SIG_IGN)};  // handler, flags, restorer, mask
  std::array<std::uintptr_t, 4> action_before{};
  REQUIRE(::syscall(SYS_rt_sigaction, reserved, action.data(), action_before.data(), 8) == 0);
  const fs::Fd leak{::open("/dev/null", O_RDONLY)};  // without O_CLOEXEC
  const auto result = run(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; echo /proc/self/fd/*"));
  const auto session = run(python("import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"));
  ::syscall(SYS_rt_sigaction, reserved, action_before.data(), nullptr, 8);
  ::signal(SIGPIPE, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(session.output == "True\n");
  CHECK(result.output.find("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n") != std::string::npos);
  // The shell itself opens one to list the folder.
  CHECK(result.output.find("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n") != std::string::npos);
}

TEST_CASE("a program that never reads its stdin does not block or kill the caller") {
  auto command = shell("exec 0<&-; sleep 0.1; echo done");
  command.input.assign(std::size_t{4} << 20U, 'x');
  CHECK(run(command).output == "done\n");
}

TEST_CASE("a program that closes stdout and stderr is waited for all the same") {
  const auto result = run(shell("exec >&- 2>&-; sleep 0.3; exit 7"));
  CHECK(result.exit_code == 7);
  CHECK(result.usage.wall >= 300ms);
}

TEST_CASE("lines are delivered as they come, whole, the last without its end too") {
  std::vector<std::string> lines;
  auto command = shell("printf 'one\\ntw' >&2; sleep 0.05; printf 'o\\r\\n\\nlast' >&2");
  command.on_error_line = [&](std::string_view line) { lines.emplace_back(line); };
  run(command);
  CHECK(lines == std::vector<std::string>{"one", "two", "", "last"});
}

TEST_CASE("a program that writes without end is ended at its output limit") {
  auto command = python("import os\nwhile True: os.write(1, b'x' * 65536)");
  command.output_limit = 100'000;
  const auto result = run(command);
  CHECK(result.end == End::output_limit);
  CHECK(result.output.size() == 100'000);
}

TEST_CASE("a program over its time is ended, also when it ignores SIGTERM") {
  auto command = python("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)");
  command.time_limit = 500ms;
  const auto start = Clock::now();
  const auto result = run(command);
  CHECK(result.end == End::timed_out);
  CHECK(result.describe() == "over its time limit");
  CHECK(Clock::now() - start < 5s);
}

TEST_CASE("a program over its time may clean up within its grace") {
  auto command = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
  command.time_limit = 300ms;
  command.grace = 3s;
  CHECK(run(command).output == "ready\nbye\n");
}

TEST_CASE("what daemonises ends with its command") {
  const auto result = run(python(R"(
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
time.sleep(0.3)
)"));
  CHECK(result.succeeded());
  CHECK(dies_soon(std::stoi(result.output)));
}

TEST_CASE("a program that forks for ever is ended with all its children") {
  auto command = python(R"(
import os, time
while True:
    if os.fork() == 0:
        os.setsid()
        print(os.getpid(), flush=True)
        time.sleep(60)
    time.sleep(0.005)
)");
  command.time_limit = 400ms;
  const auto result = run(command);
  CHECK(result.end == End::timed_out);
  std::size_t alive = 0;
  std::size_t count = 0;
  for (std::size_t at = 0; at < result.output.size(); at = result.output.find('\n', at) + 1, ++count)
    if (!dies_soon(std::stoi(result.output.substr(at)))) ++alive;
  CHECK(count > 3);
  CHECK(alive == 0);
}

TEST_CASE("when the caller is killed, its children go too") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const auto caller = ::fork();
  if (caller == 0) {
    auto command = shell("(setsid sleep 60 & echo $!); echo $$; sleep 60");
    command.on_output_line = [&](std::string_view line) {
      const auto text = std::string{line} + "\n";
      [[maybe_unused]] const auto written = ::write(ends[1], text.data(), text.size());
    };
    run(command);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 256> buffer{};
  while (std::count(text.begin(), text.end(), '\n') < 2) {
    const auto size = ::read(ends[0], buffer.data(), buffer.size());
    REQUIRE(size > 0);
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  CHECK(dies_soon(std::stoi(text)));
  CHECK(dies_soon(std::stoi(text.substr(text.find('\n') + 1))));
}

TEST_CASE("kill_all ends the commands of all threads, and their run() does not return") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const auto caller = ::fork();
  if (caller == 0) {
    std::atomic<int> ready = 0;
    std::atomic<int> returned = 0;
    for (int i = 0; i < 3; ++i) {
      std::thread{[&] {
        auto command = shell("echo $$; sleep 60");
        command.on_output_line = [&](std::string_view line) {
          const auto text = std::string{line} + "\n";
          [[maybe_unused]] const auto written = ::write(ends[1], text.data(), text.size());
          ++ready;
        };
        run(command);
        ++returned;
      }}.detach();
    }
    while (ready < 3) std::this_thread::sleep_for(5ms);
    capsule::process::kill_all();
    std::this_thread::sleep_for(50ms);
    ::_exit(returned);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 256> buffer{};
  for (ssize_t size = 0; (size = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(caller, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++count)
    CHECK(dies_soon(std::stoi(text.substr(at))));
  CHECK(count == 3);
}

TEST_CASE("a background command that says nothing, ends, or does not exist, is an error") {
  Background silent{shell("sleep 60")};
  CHECK_THROWS_WITH(silent.first_line(50ms), Catch::Contains("said nothing within"));
  Background broken{shell("echo first >&2; echo no port is free >&2; exit 5")};
  CHECK_THROWS_WITH(broken.first_line(5s), Catch::Contains("exit code 5") && Catch::Contains("no port is free"));
  CHECK(broken.stop().exit_code == 5);
  Command nothing;
  nothing.program = "/nonexistent";
  CHECK_THROWS_AS(Background{nothing}, capsule::Error);
}

TEST_CASE("many commands at once do not disturb each other") {
  const auto before = number_of_fds();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        auto command = shell("cat");
        command.input = std::to_string(t * 100 + i);
        good += run(command).output == command.input ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 160);
  CHECK(number_of_fds() == before);
}
