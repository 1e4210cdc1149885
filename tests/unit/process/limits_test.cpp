#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/error.hpp"
#include "marked.hpp"

using namespace capsule;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST_CASE("a program over its time limit is ended, by force when it ignores SIGTERM") {
  const auto start = Clock::now();
  auto result = run_and_check_nothing_is_left(limited(shell("sleep 100"), 100ms));
  CHECK(result.end == process::End::timed_out);
  CHECK(result.signal == SIGTERM);
  CHECK(result.describe() == "over its time limit");
  CHECK(Clock::now() - start < 2s);
  result = run_and_check_nothing_is_left(limited(shell("trap '' TERM; while :; do sleep 1; done"), 100ms));
  CHECK(result.end == process::End::timed_out);
  CHECK(result.signal == SIGKILL);
  CHECK(Clock::now() - start < 4s);
}

TEST_CASE("a program need not read its stdin") {
  auto command = shell("exit 3");
  command.input.assign(std::size_t{64} << 20U, 'x');
  CHECK(process::run(command).exit_code == 3);
  command = limited(shell("exec <&-; sleep 0.1; echo done"), 10s);
  command.input.assign(std::size_t{64} << 20U, 'x');
  CHECK(process::run(command).output == "done\n");
  command = limited(shell("sleep 100"), 100ms);
  command.input.assign(std::size_t{64} << 20U, 'x');
  CHECK(process::run(command).end == process::End::timed_out);
}

TEST_CASE("a large stdin goes through while output comes") {
  auto command = shell("cat");
  command.input.assign(std::size_t{8} << 20U, 'x');
  command.input += "end";
  const auto result = process::run(command);
  CHECK(result.output == command.input);
  CHECK(process::run(shell("cat")).output.empty());
}

TEST_CASE("a program that writes without end is ended at its limit, and no more is kept") {
  auto command = shell("head -c 1073741824 /dev/zero");
  command.output_limit = std::size_t{1} << 20U;
  auto result = run_and_check_nothing_is_left(command);
  CHECK(result.end == process::End::output_limit);
  CHECK(result.output.size() == command.output_limit);
  CHECK(result.describe() == "wrote more than it may");
  command = shell("yes >&2");
  command.output_limit = 1000;
  result = run_and_check_nothing_is_left(command);
  CHECK(result.end == process::End::output_limit);
  CHECK(result.error_output.size() == 1000);
  command = shell("printf 12345");
  command.output_limit = 5;
  CHECK(process::run(command).succeeded());
}

TEST_CASE("an exception of the one who reads lines ends the command") {
  Marked marked{shell("echo line; sleep 100")};
  marked.command.on_output_line = [](std::string_view) { throw Error{ErrorKind::conflict, "enough"}; };
  CHECK_THROWS_AS(process::run(marked.command), Error);
  CHECK(count_with_mark(marked.mark) == 0);
}
