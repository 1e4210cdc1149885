#include <signal.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/error.hpp"
#include "process/confinement.hpp"
#include "programs.hpp"

using namespace capsule;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

ErrorKind kind_of_failure(const process::Command& command) {
  try {
    process::run(command);
  } catch (const Error& error) {
    return error.kind();
  }
  FAIL("it ran");
  return ErrorKind::usage;
}

}  // namespace

TEST_CASE("a command's output, error output and exit code come back") {
  const auto result = process::run(shell("echo out; echo err >&2; exit 3"));
  CHECK(result.end == process::End::exited);
  CHECK(result.exit_code == 3);
  CHECK(result.output == "out\n");
  CHECK(result.error_output == "err\n");
  CHECK_FALSE(result.succeeded());
  CHECK(result.describe() == "exit code 3");
  CHECK(process::run(shell(":")).succeeded());
}

TEST_CASE("a program that is missing is not_found, one that may not run is denied") {
  process::Command command;
  command.program = "/no/such/program";
  CHECK(kind_of_failure(command) == ErrorKind::not_found);
  command.program = "/etc/passwd";
  CHECK(kind_of_failure(command) == ErrorKind::denied);
  command = shell(":");
  command.folder = "/no/such/folder";
  CHECK(kind_of_failure(command) == ErrorKind::not_found);
}

TEST_CASE("a background command says its first line and is ended") {
  process::Background server{shell("echo ready; exec sleep 100")};
  CHECK(server.first_line(5s) == "ready");
  CHECK(::kill(server.pid(), 0) == 0);
  const auto result = server.stop();
  CHECK(result.signal == SIGTERM);
  CHECK(::kill(server.pid(), 0) != 0);
}

TEST_CASE("what exec would cut off is refused") {
  const auto is_usage_error =
      Catch::Matchers::Predicate<Error>([](const Error& e) { return e.kind() == ErrorKind::usage; });
  auto command = shell(std::string{"echo a\0b", 8});
  CHECK_THROWS_MATCHES(process::run(command), Error, is_usage_error);
  command = shell(":");
  command.environment["A=B"] = "c";
  CHECK_THROWS_MATCHES(process::run(command), Error, is_usage_error);
}

TEST_CASE("a line without end comes in pieces") {
  std::vector<std::size_t> sizes;
  auto command = shell("head -c 150000 /dev/zero; echo; echo next");
  command.on_output_line = [&](std::string_view line) { sizes.push_back(line.size()); };
  process::run(command);
  CHECK(sizes == std::vector<std::size_t>{65536, 65536, 150000 - 2 * 65536, 4});
}

TEST_CASE("usage counts all descendants") {
  const auto result =
      process::run(python("import os\nif os.fork() == 0:\n x = bytearray(100 << 20)\n for i in range(3000000): pass\n"
                          "else: os.wait()"));
  CHECK(result.usage.max_rss_bytes > (std::uint64_t{100} << 20U));
  CHECK(result.usage.cpu > 20ms);
  CHECK(result.usage.wall >= 20ms);
}

TEST_CASE("starting a command takes milliseconds") {
  process::Command command;
  command.program = "/bin/true";
  constexpr int runs = 50;
  auto start = Clock::now();
  for (int i = 0; i < runs; ++i) REQUIRE(process::run(command).succeeded());
  const auto plain = (Clock::now() - start) / runs;
  command.confinement = process::confine_strangers({}, {});
  start = Clock::now();
  for (int i = 0; i < runs; ++i) REQUIRE(process::run(command).succeeded());
  const auto confined_time = (Clock::now() - start) / runs;
  using microseconds = std::chrono::microseconds;
  INFO("a command: " << std::chrono::duration_cast<microseconds>(plain).count()
                     << " µs, confined: " << std::chrono::duration_cast<microseconds>(confined_time).count() << " µs");
  CHECK(plain < 200ms);
}

TEST_CASE("a child's umask is 022") {
  const auto before = ::umask(077);
  const auto result = process::run(shell("umask"));
  ::umask(before);
  CHECK(result.output == "0022\n");
}
