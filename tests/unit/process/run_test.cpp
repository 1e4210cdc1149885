#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/error.hpp"
#include "programs.hpp"

using namespace capsule;
using namespace std::chrono_literals;

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
