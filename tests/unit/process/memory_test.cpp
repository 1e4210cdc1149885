#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "fs/temporary.hpp"
#include "process/confinement.hpp"
#include "programs.hpp"

using namespace capsule;

namespace {

constexpr std::uint64_t mebi = std::uint64_t{1} << 20U;

process::Result with_256_mebibytes(process::Command command, bool confined = true) {
  process::Limits limits;
  limits.memory = 256 * mebi;
  auto confinement = *process::confine_strangers({}, {}, process::Network::none, {}, limits);
  if (!confined) {
    confinement = {};
    confinement.limits = limits;
  }
  command.confinement = std::make_shared<process::Confinement>(std::move(confinement));
  return process::run(command);
}

/// Five processes which each do `work`, below the limit of one process, and stay.
process::Command five(const std::string& work) {
  return python(R"(
import ctypes, mmap, os, threading, time
for _ in range(5):
    if os.fork() == 0:
        )" + work +
                R"(
        time.sleep(20)
        os._exit(0)
for _ in range(5): os.wait()
)");
}

}  // namespace

TEST_CASE("the memory of all processes of a stranger is limited together") {
  const std::string private_memory = "x = b'x' * (100 << 20)";
  const std::string shared_memory =
      "x = mmap.mmap(-1, 100 << 20); x.write(b'x' * (50 << 20)); x.write(b'x' * (50 << 20))";
  const std::string other_session = "os.setsid(); x = b'x' * (100 << 20)";
  const std::string first_thread_gone =
      "x = b'x' * (100 << 20); threading.Thread(target=time.sleep, args=(20,)).start(); "
      "ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93)";  // exit(2), of one thread
  for (const auto& work : {private_memory, shared_memory, other_session, first_thread_gone}) {
    for (const bool confined : {true, false}) {
      INFO(work << (confined ? "" : ", without namespaces"));
      const auto result = with_256_mebibytes(five(work), confined);
      CHECK(result.end == process::End::memory_limit);
      CHECK(result.describe() == "over its memory limit");
      CHECK(result.memory_limit == 256 * mebi);
      CHECK(result.usage.wall < std::chrono::seconds{10});
      CHECK(std::count(result.held.begin(), result.held.end(), "memory-sum") == 1);
    }
  }
}

TEST_CASE("memory that processes share counts once") {
  const auto result = with_256_mebibytes(python(R"(
import os, time
x = b'x' * (100 << 20)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
for _ in range(5): os.wait()
print('all')
)"));
  CHECK(result.describe() == "exit code 0");
  CHECK(result.output == "all\n");
}

TEST_CASE("a mapped file is no memory of those who map it") {
  const fs::TemporaryFolder folder{std::filesystem::temp_directory_path()};
  auto command = python(R"(
import mmap, os, time
file = os.open('.', os.O_TMPFILE | os.O_RDWR)
for _ in range(300): os.write(file, bytes(1 << 20))
x = mmap.mmap(file, 0, prot=mmap.PROT_READ)
sum(x[i] for i in range(0, len(x), 4096))
time.sleep(0.5)
print('read')
)");
  command.folder = folder.path().string();
  const auto result = with_256_mebibytes(command, false);
  CHECK(result.error_output.empty());
  CHECK(result.output == "read\n");
}

TEST_CASE("a stranger gets the memory that it asks for as far as it is there, else a share of the machine") {
  const auto usual = process::usual_limits().memory;
  REQUIRE(usual);
  const auto machine =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  CHECK(*usual > 0);
  CHECK(*usual <= machine / 2);
  CHECK(process::usual_limits(64 * mebi).memory == 64 * mebi);
  CHECK(process::usual_limits(std::uint64_t{1} << 60U).memory < machine);
}
