#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "process/confinement.hpp"
#include "process/disk_watch.hpp"
#include "programs.hpp"

using namespace capsule;

namespace {

std::uint64_t free_at(const fs::Path& folder) {
  struct statvfs disk {};
  REQUIRE(::statvfs(folder.c_str(), &disk) == 0);
  return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

/// A program whose one argument is the folder that it may write.
process::Command writer(const std::string& script, const fs::Path& folder) {
  auto command = python(script);
  command.arguments.push_back(folder.string());
  process::Confinement confinement;
  confinement.writable = {folder.string()};
  confinement.limits.disk_reserve = std::uint64_t{1} << 30U;
  command.confinement = std::make_shared<process::Confinement>(std::move(confinement));
  return command;
}

/// A disk of its own for a test.
class SmallDisk {
 public:
  SmallDisk() : m_mounted(::mount("tmpfs", m_folder.path().c_str(), "tmpfs", 0, "size=64m,mode=777") == 0) {}
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (m_mounted) ::umount2(m_folder.path().c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool is_there() const noexcept { return m_mounted; }
  [[nodiscard]] const fs::Path& path() const noexcept { return m_folder.path(); }

 private:
  fs::TemporaryFolder m_folder{fs::temporary_parent()};
  bool m_mounted;
};

}  // namespace

TEST_CASE("what stays free of a disk is the reserve, of a small disk a sixteenth") {
  CHECK_FALSE(process::DiskWatch{{"/"}, 0}.short_of_room());
  CHECK_FALSE(process::DiskWatch{{"/nowhere/at/all", "/proc"}, ~std::uint64_t{0}}.short_of_room());
  const SmallDisk small;
  if (!small.is_there()) {
    WARN("no right to mount: the part with a small disk is left out");
    return;
  }
  const process::DiskWatch of_small{{"/nowhere/at/all", small.path().string()}, std::uint64_t{1} << 62U};
  CHECK_FALSE(of_small.short_of_room());
  fs::write_file(small.path() / "much", std::string(std::size_t{61} << 20U, 'x'));
  const auto full = of_small.short_of_room();
  REQUIRE(full);
  CHECK(full->folder == small.path().string());
  CHECK((full->used >= std::uint64_t{61} << 20U && full->size == std::uint64_t{64} << 20U));
}

TEST_CASE("a stranger that leaves too little room on the disk is ended, and not started without room") {
  const SmallDisk disk;
  if (!disk.is_there()) {
    WARN("no right to mount: left out");
    return;
  }
  const auto* const hidden =  // no sum over files sees this one
      "import os, sys, time\nfd = os.open(sys.argv[1] + '/junk', os.O_CREAT | os.O_WRONLY)\n"
      "os.unlink(sys.argv[1] + '/junk')\nfor _ in range(61): os.write(fd, bytes(1 << 20))\ntime.sleep(20)\n";
  const auto result = process::run(writer(hidden, disk.path()));
  CHECK(result.end == process::End::disk_limit);
  CHECK(result.describe() == "the disk that it writes to is nearly full");
  CHECK(result.usage.wall < std::chrono::seconds{10});
  CHECK(free_at(disk.path()) > std::uint64_t{60} << 20U);

  fs::write_file(disk.path() / "much", std::string(std::size_t{61} << 20U, 'x'));
  try {
    process::run(writer("print(1)", disk.path()));
    FAIL("it was started");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::unavailable);
    CHECK_THAT(error.what(), Catch::Contains("nearly full") && Catch::Contains(disk.path().string()));
  }
}
