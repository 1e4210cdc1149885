#include "process/cgroup_memory.hpp"

#include <catch2/catch.hpp>

#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using namespace capsule;

namespace {

constexpr std::uint64_t mebi = std::uint64_t{1} << 20U;

/// A machine's files below a folder of the test's own.
class Machine {
 public:
  void write(const fs::Path& path, const std::string& text) const {
    const auto file = m_folder.path() / path;
    std::filesystem::create_directories(file.parent_path());
    fs::write_file(file, text);
  }
  [[nodiscard]] std::optional<process::CgroupMemory> memory() const { return process::cgroup_memory(m_folder.path()); }
  [[nodiscard]] std::uint64_t kills() const { return process::cgroup_kills(m_folder.path()); }

 private:
  fs::TemporaryFolder m_folder{std::filesystem::temp_directory_path()};
};

std::string bytes(std::uint64_t mebibytes) {
  return std::to_string(mebibytes * mebi) + "\n";
}

}  // namespace

TEST_CASE("of a container's version 2 group the limit counts, less what is held and cannot be dropped") {
  const Machine machine;
  machine.write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n");
  machine.write("proc/self/cgroup", "0::/\n");
  machine.write("sys/fs/cgroup/memory.max", bytes(512));
  machine.write("sys/fs/cgroup/memory.current", bytes(200));
  machine.write("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file " + bytes(150));
  const auto memory = machine.memory();
  REQUIRE(memory);
  CHECK(memory->limit == 512 * mebi);
  CHECK(memory->available == (512 - 50) * mebi);
}

TEST_CASE("the tightest group of those above counts") {
  const Machine machine;
  machine.write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
  machine.write("proc/self/cgroup", "0::/pods/one/main\n");
  machine.write("sys/fs/cgroup/pods/memory.max", bytes(4096));
  machine.write("sys/fs/cgroup/pods/one/memory.max", bytes(256));
  machine.write("sys/fs/cgroup/pods/one/memory.current", bytes(16));
  machine.write("sys/fs/cgroup/pods/one/main/memory.max", "max\n");
  const auto memory = machine.memory();
  REQUIRE(memory);
  CHECK(memory->limit == 256 * mebi);
  CHECK(memory->available == 240 * mebi);
}

TEST_CASE("a container's version 1 group is what is mounted, whatever it is called on the machine") {
  const Machine machine;
  machine.write("proc/self/mountinfo",
                "31 24 0:27 /kubepods/pod1/c1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
                "32 24 0:28 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  machine.write("proc/self/cgroup", "5:memory:/kubepods/pod1/c1\n3:cpu:/kubepods/pod1/c1\n0::/\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", bytes(128));
  machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", bytes(28));
  machine.write("sys/fs/cgroup/memory/memory.stat", "inactive_file 5\ntotal_inactive_file " + bytes(8));
  const auto memory = machine.memory();
  REQUIRE(memory);
  CHECK(memory->limit == 128 * mebi);
  CHECK(memory->available == 108 * mebi);
}

TEST_CASE("no limit, and no groups at all, are no limit") {
  const Machine machine;
  CHECK_FALSE(machine.memory());
  machine.write("proc/self/mountinfo", "32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  machine.write("proc/self/cgroup", "5:memory:/\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK_FALSE(machine.memory());
}

TEST_CASE("what the kernel ended for want of memory is counted") {
  const Machine machine;
  CHECK(process::cgroup_kills("/nowhere") == 0);
  machine.write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  machine.write("proc/self/cgroup", "0::/pod\n");
  machine.write("sys/fs/cgroup/pod/memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n");
  const auto before = machine.kills();
  machine.write("sys/fs/cgroup/pod/memory.events", "low 0\noom 5\noom_kill 4\noom_group_kill 0\n");
  CHECK(machine.kills() > before);
}
