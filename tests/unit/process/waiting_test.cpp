#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "core/error.hpp"
#include "fs/temporary.hpp"
#include "marked.hpp"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

process::Command waiting(process::Command command) {
  command.input_later = true;
  return command;
}

/// How many with the mark there are, when the number has come, or after five seconds.
int count_when(const std::string& mark, int wanted) {
  int count = count_with_mark(mark);
  for (int i = 0; i < 250 && count != wanted; ++i) {
    ::usleep(20'000);
    count = count_with_mark(mark);
  }
  return count;
}

}  // namespace

TEST_CASE("a child waits for its input, reads it to the end, and ends by itself") {
  process::Background child{waiting(shell("echo ready; cat"))};
  CHECK(child.first_line(5s) == "ready");
  CHECK_FALSE(child.has_ended(50ms));
  child.feed("one\ntwo\n", 5s);
  CHECK(child.has_ended(5s));
  const auto result = child.stop();
  CHECK(result.succeeded());
  CHECK(result.output == "ready\none\ntwo\n");
}

TEST_CASE("more input than a pipe holds is fed, and a child that does not read it holds nobody up") {
  const std::string much(1'000'000, 'x');
  process::Background reader{waiting(shell("wc -c"))};
  reader.feed(much, 10s);
  CHECK(reader.has_ended(5s));
  CHECK(reader.stop().output == "1000000\n");
  process::Background deaf{waiting(shell("exec sleep 100"))};
  deaf.feed(much, 100ms);
  CHECK_FALSE(deaf.has_ended(50ms));
  process::Background gone{waiting(shell("exit 3"))};
  CHECK(gone.has_ended(5s));
  gone.feed(much, 10s);
  CHECK(gone.stop().exit_code == 3);
}

TEST_CASE("a waiting child that writes more than it may is ended where that is wanted") {
  auto command = waiting(shell("head -c 100000 /dev/zero; exec sleep 100"));
  command.output_limit = 1000;
  process::Background child{command, process::Background::BeyondLimit::end};
  CHECK(child.has_ended(5s));
  CHECK(child.stop().end == process::End::output_limit);
}

TEST_CASE("a detached program goes on, in a session of its own, with its output in the log") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const Marked marked{shell("echo here; cat; exec sleep 100")};
  const auto log = folder.path() / "log";
  process::start_detached(marked.command, log.string());
  REQUIRE(count_when(marked.mark, 1) == 1);
  for (int i = 0; i < 250 && fs::read_file(log, 100).empty(); ++i) ::usleep(20'000);
  CHECK(fs::read_file(log, 100) == "here\n");
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    std::ifstream file{entry.path() / "environ"};
    const std::string environment{std::istreambuf_iterator<char>{file}, {}};
    if (environment.find(marked.mark) == std::string::npos) continue;
    const int pid = std::stoi(entry.path().filename());
    CHECK(::getsid(pid) != ::getsid(0));
    CHECK(::kill(pid, SIGKILL) == 0);
  }
  CHECK(count_when(marked.mark, 0) == 0);
}

TEST_CASE("a detached program that cannot be started is an error") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  process::Command command;
  command.program = "/nowhere/program";
  CHECK_THROWS_AS(process::start_detached(command, (folder.path() / "log").string()), Error);
}

TEST_CASE("what a command detached survives a normal end alone, and only where that is wanted") {
  const std::string leaves = "setsid sleep 100 </dev/null >/dev/null 2>&1 & sleep 0.2; ";
  const auto left_by = [&](const std::string& script, bool spares) {
    Marked marked{shell(script)};
    marked.command.spares_detached = spares;
    marked.command.time_limit = 1500ms;
    process::run(marked.command);
    const int count = count_with_mark(marked.mark);
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
      std::ifstream file{entry.path() / "environ"};
      const std::string environment{std::istreambuf_iterator<char>{file}, {}};
      if (environment.find(marked.mark) != std::string::npos) ::kill(std::stoi(entry.path().filename()), SIGKILL);
    }
    return count;
  };
  CHECK(left_by(leaves + "sleep 50 & exit 0", true) == 1);  // the sleep in its own session goes
  CHECK(left_by(leaves + "exit 0", false) == 0);
  CHECK(left_by(leaves + "kill -9 $$", true) == 0);
  CHECK(left_by(leaves + "sleep 100", true) == 0);
}
