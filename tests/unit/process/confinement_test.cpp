#include "process/confinement.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "programs.hpp"

using namespace capsule;
using process::Network;

namespace {

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

process::Result confined(process::Command command, std::vector<std::string> writable = {},
                         Network network = Network::none, process::Limits limits = process::usual_limits()) {
  command.confinement = process::confine_strangers({}, std::move(writable), network, {}, limits);
  return process::run(command);
}

/// A folder that a confined program may enter, and write when it is told so.
struct Folder {
  Folder() : path(temporary.path() / "data") {
    ::chmod(temporary.path().c_str(), 0755);
    ::mkdir(path.c_str(), 0755);
    if (::geteuid() == 0) REQUIRE(::chown(path.c_str(), process::capsule_user, process::capsule_user) == 0);
  }
  fs::TemporaryFolder temporary{std::filesystem::temp_directory_path()};
  std::filesystem::path path;
};

bool is_root() {
  return ::geteuid() == 0;
}

}  // namespace

TEST_CASE("nothing is held of a command without confinement") {
  const auto result = process::run(shell(":"));
  CHECK(result.held.empty());
  CHECK(result.missing.empty());
}

TEST_CASE("as root, a stranger runs as user 65532 without groups, capabilities, new privileges") {
  if (!is_root()) return;
  const auto result =
      confined(shell("id -u; id -g; id -G; grep -E '^(Cap(Prm|Eff|Bnd)|NoNewPrivs)' /proc/self/status"));
  CHECK(result.output ==
        "65532\n65532\n65532\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
        "NoNewPrivs:\t1\n");
  CHECK(contains(result.held, "user"));
  CHECK(contains(result.held, "no-new-privileges"));
}

TEST_CASE("as root, a stranger has a network namespace with nothing in it") {
  if (!is_root()) return;
  const auto result = confined(shell("cat /proc/net/dev | tail -n +3 | cut -d: -f1; readlink /proc/self/ns/net"));
  if (!contains(result.held, "network-namespace")) return;
  std::array<char, 64> ours{};
  REQUIRE(::readlink("/proc/self/ns/net", ours.data(), ours.size() - 1) > 0);
  CHECK(result.output.find(ours.data()) == std::string::npos);
}

TEST_CASE("a stranger has socket pairs, and no way to a service, not even by a UNIX socket", "[as-user]") {
  const auto result = confined(python(R"(
import socket, errno
socket.socketpair(); socket.socketpair(type=socket.SOCK_DGRAM)
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):
    try: socket.socket(family, socket.SOCK_RAW if family == socket.AF_PACKET else socket.SOCK_STREAM); print('open', family)
    except PermissionError: print('refused')
)"));
  CHECK(contains(result.held, "seccomp"));
  CHECK(result.output == "refused\nrefused\nrefused\nrefused\nrefused\nrefused\n");
  CHECK(result.error_output.empty());
}

TEST_CASE("a stranger that may have the network can connect", "[as-user]") {
  auto command = python(
      "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
      "socket.create_connection(s.getsockname()); print('connected')");
  CHECK(confined(command, {}, Network::host).output == "connected\n");
}

TEST_CASE("a stranger writes only where it may, and reads nobody's files", "[as-user]") {
  const Folder folder;
  const auto secret = folder.temporary.path() / "secret";
  fs::write_file(secret, "secret", 0644);
  const auto script =
      "cd " + folder.path.string() +
      "; echo a > a && mkdir b && mv a b/a && cat b/a; echo > ../c; echo > /dev/shm/../c; cat ../secret; "
      "ls ..; echo x > /dev/null && echo done";
  const auto result = confined(shell(script), {folder.path.string()});
  CHECK(result.output == "a\ndone\n");
  CHECK(fs::read_file(folder.path / "b/a", 10) == "a\n");
  CHECK_FALSE(std::filesystem::exists(folder.temporary.path() / "c"));
  CHECK_FALSE(confined(shell("echo > " + (folder.path / "d").string())).succeeded());
}

TEST_CASE("a stranger sees and signals only its own processes", "[as-user]") {
  auto other = shell("echo up; exec sleep 100");
  other.environment["CAPSULE_TEST_SECRET"] = "do-not-tell";
  process::Background server{other};
  server.first_line(std::chrono::seconds{5});
  const auto looked = confined(shell("kill -9 " + std::to_string(server.pid()) + "; cat /proc/[0-9]*/environ"));
  CHECK(looked.output.find("do-not-tell") == std::string::npos);
  CHECK(::kill(server.pid(), 0) == 0);
  // Its supervisor, too.
  const auto result = confined(shell("kill -9 $PPID; echo alive"));
  CHECK(result.output == "alive\n");
}

TEST_CASE("what was a way out of confinements before is refused", "[as-user]") {
  const auto result = confined(python(R"(
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
for name, arguments in {'ptrace': (0, 0, 0, 0), 'unshare': (0x10000000,), 'mount': (None, b'/', None, 4096, None)}.items():
    if libc[name](*arguments) != -1 or ctypes.get_errno() != 1: print(name)
number = 425  # io_uring_setup, on every machine
if libc.syscall(number, 1, 0) != -1 or ctypes.get_errno() != 38: print('io_uring')
if libc.memfd_create(b'x', 0) != -1 or ctypes.get_errno() != 38: print('memfd')
if libc.shmget(0, 4096, 0o600) != -1 or ctypes.get_errno() != 38: print('shmget')
)"));
  CHECK(result.output.empty());
  CHECK(result.error_output.empty());
  CHECK(result.succeeded());
}

TEST_CASE("limits of a stranger hold", "[as-user]") {
  const Folder folder;
  process::Limits limits;
  limits.memory = std::uint64_t{256} << 20U;
  limits.file_size = std::uint64_t{1} << 20U;
  limits.open_files = 20;
  limits.cpu_seconds = 1;
  CHECK(confined(python("bytes(300 << 20)"), {}, Network::none, limits).error_output.find("MemoryError") !=
        std::string::npos);
  CHECK(confined(shell("ulimit -n; ulimit -c"), {}, Network::none, limits).output == "20\n0\n");
  const auto large = confined(shell("head -c 2000000 /dev/zero > " + (folder.path / "large").string()),
                              {folder.path.string()}, Network::none, limits);
  CHECK_FALSE(large.succeeded());
  CHECK(std::filesystem::file_size(folder.path / "large") == 1U << 20U);
  const auto busy = confined(shell("while :; do :; done"), {}, Network::none, limits);
  CHECK(busy.end == process::End::signalled);
}

TEST_CASE("a limit is never raised") {
  auto inner = shell("ulimit -n 10; exec /bin/sh -c 'ulimit -n'");
  CHECK(process::run(inner).output == "10\n");
  // Ours is the hard limit that a stranger can have at most.
  process::Limits limits;
  limits.open_files = std::uint64_t{1} << 40U;
  CHECK(confined(shell(":"), {}, Network::none, limits).succeeded());
}

TEST_CASE("what other strangers run does not count against one") {
  auto crowd = shell("for i in $(seq 30); do sleep 60 & done; echo up; wait");
  crowd.confinement = process::confine_strangers({}, {});
  process::Background others{crowd};
  CHECK(others.first_line(std::chrono::seconds{20}) == "up");
  CHECK(process::usual_limits().processes >= 1024U + 31U);
}

TEST_CASE("a stranger's processes are limited") {
  if (!is_root()) return;
  process::Limits limits;
  limits.processes = *process::usual_limits().processes - 1024 + 5;  // with what the same user runs already
  const auto result = confined(shell("for i in $(seq 50); do sleep 5 & done; echo all"), {}, Network::none, limits);
  CHECK(result.output.empty());
  CHECK(result.error_output.find("fork") != std::string::npos);
}

TEST_CASE("who has more processes than it may is ended with all of them") {
  process::Limits limits = process::usual_limits();
  limits.descendants = 20;
  const auto forks = [&](const std::string& count) {
    return confined(shell("for i in $(seq " + count + "); do sleep 3 & done; wait; echo all"), {}, Network::none,
                    limits);
  };
  CHECK(forks("15").output == "all\n");
  const auto result = forks("30");
  CHECK(result.end == process::End::process_limit);
  CHECK(result.describe() == "over its limit of processes");
  CHECK(result.process_limit == 20U);
  CHECK(result.output.empty());
}

TEST_CASE("a stranger starts in the folder that is said, and that must be open to it", "[as-user]") {
  const Folder folder;
  auto command = shell("pwd; echo > here");
  command.folder = folder.path.string();
  CHECK(confined(command, {folder.path.string()}).output == folder.path.string() + "\n");
  CHECK(std::filesystem::exists(folder.path / "here"));
}

TEST_CASE("a stranger's process id is the caller's") {
  auto command = shell("echo ready; exec sleep 100");
  command.confinement = process::confine_strangers({}, {});
  process::Background server{command};
  CHECK(server.first_line(std::chrono::seconds{5}) == "ready");
  struct stat status {};
  REQUIRE(::stat(("/proc/" + std::to_string(server.pid())).c_str(), &status) == 0);
  if (is_root()) CHECK(status.st_uid == process::capsule_user);
  CHECK(server.stop().held.size() >= 3);
}

TEST_CASE("what was had of the confinement is said, and what was not", "[as-user]") {
  const auto result = confined(shell(":"));
  for (const char* part : {"no-new-privileges", "network-namespace", "mount-namespace", "pid-namespace", "landlock",
                           "seccomp", "limits", "memory-sum", is_root() ? "user" : "user-namespace"}) {
    const auto is_this = [&](const std::string& text) { return text.starts_with(std::string{part} + ": "); };
    CHECK(contains(result.held, part) != std::any_of(result.missing.begin(), result.missing.end(), is_this));
  }
}

namespace {

/// These tests once more, as an ordinary user.
void run_as_user(std::shared_ptr<const process::Confinement> confinement) {
  if (!is_root() || !std::filesystem::exists("/usr/bin/setpriv")) return;
  const fs::TemporaryFolder folder{std::filesystem::temp_directory_path()};
  ::chmod(folder.path().c_str(), 0755);
  const auto copy = folder.path() / "tests";
  std::filesystem::copy_file("/proc/self/exe", copy);
  process::Command command;
  command.program = "/usr/bin/setpriv";
  command.arguments = {"--reuid=1234", "--regid=1234", "--clear-groups", copy.string(), "[as-user]"};
  command.environment = {{"ASAN_OPTIONS", "detect_leaks=0"}};  // which needs ptrace
  command.confinement = std::move(confinement);
  const auto result = process::run(command);
  INFO(result.output << result.error_output);
  CHECK(result.succeeded());
}

}  // namespace

TEST_CASE("all of this holds for an ordinary user") {
  run_as_user(nullptr);
}

TEST_CASE("all of this holds where there are no namespaces to be had") {
  auto without = std::make_shared<process::Confinement>();
  without->network = Network::host;
  without->seccomp = true;  // refuses them
  run_as_user(without);
}
