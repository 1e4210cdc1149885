#include <signal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "programs.hpp"

using namespace capsule;
using namespace std::chrono_literals;

TEST_CASE("a command that runs in a thread that ends goes on") {
  std::unique_ptr<process::Background> server;
  std::thread{[&] { server = std::make_unique<process::Background>(shell("echo up; sleep 100")); }}.join();
  CHECK(server->first_line(5s) == "up");
  std::this_thread::sleep_for(50ms);
  CHECK(::kill(server->pid(), 0) == 0);
}

TEST_CASE("a server may write more than its limit: the beginning is forgotten") {
  auto command = shell("echo first; head -c 100000 /dev/zero; echo; echo last; exec sleep 100");
  command.output_limit = 1000;
  std::atomic<bool> last = false;
  command.on_output_line = [&](std::string_view line) { last = last || line == "last"; };
  process::Background server{command};
  CHECK(server.first_line(5s) == "first");
  for (int i = 0; i < 500 && !last; ++i) std::this_thread::sleep_for(10ms);
  const auto result = server.stop();
  CHECK(result.end == process::End::signalled);
  CHECK(result.output.size() <= 1000);
  CHECK(result.output.ends_with("last\n"));
}
