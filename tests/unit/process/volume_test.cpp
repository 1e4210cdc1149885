#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "process/confinement.hpp"
#include "process/folder_use.hpp"
#include "process/volume_watch.hpp"
#include "programs.hpp"

using namespace capsule;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

std::string bytes(std::uint64_t count) {
  return std::string(count, 'x');
}

std::uint64_t use_of(const fs::Path& folder) {
  process::FolderUse use{folder.string()};
  REQUIRE(use.look(100'000));
  return use.bytes();
}

process::Command writer(const std::string& script, const fs::Path& folder, std::uint64_t size) {
  auto command = python(script);
  command.arguments.push_back(folder.string());
  process::Confinement confinement;
  confinement.writable = {folder.string()};
  confinement.volume = {folder.string(), size};
  command.confinement = std::make_shared<process::Confinement>(std::move(confinement));
  return command;
}

}  // namespace

TEST_CASE("a folder's use is that of its blocks, each once, and of nothing outside of it") {
  const fs::TemporaryFolder outer{fs::temporary_parent()};
  const auto outside = outer.path() / "outside";
  const auto folder = outer.path() / "folder";
  std::filesystem::create_directories(folder / "a/b");
  fs::write_file(outside, bytes(8 * mib));
  CHECK(use_of(folder) < mib);
  fs::write_file(folder / "a/b/large", bytes(3 * mib));
  fs::write_file(folder / "a/small", bytes(64 << 10U));
  const auto before = use_of(folder);
  CHECK((before >= 3 * mib && before < 4 * mib));
  SECTION("links and other names") {
    std::filesystem::create_symlink(outside, folder / "link");
    std::filesystem::create_directory_symlink(outer.path(), folder / "above");
    for (int i = 0; i < 10; ++i) {
      std::filesystem::create_hard_link(folder / "a/b/large", folder / ("large" + std::to_string(i)));
      std::filesystem::create_hard_link(folder / "a/small", folder / ("small" + std::to_string(i)));
    }
    CHECK(use_of(folder) < before + mib / 4);
  }
  SECTION("a sparse file") {
    fs::write_file(folder / "sparse", "");
    REQUIRE(::truncate((folder / "sparse").c_str(), off_t{1} << 40U) == 0);
    CHECK(use_of(folder) < before + mib / 4);
  }
  SECTION("a file system of another's") {
    const auto other = folder / "other";
    std::filesystem::create_directory(other);
    if (::mount("tmpfs", other.c_str(), "tmpfs", 0, "size=16m") != 0) {
      WARN("no right to mount: left out");
      return;
    }
    fs::write_file(other / "file", bytes(8 * mib));
    CHECK(use_of(folder) < before + mib / 4);
    CHECK(use_of(other) >= 8 * mib);
    ::umount2(other.c_str(), MNT_DETACH);
  }
  SECTION("folders without end, and none") {
    auto deep = folder;
    for (int i = 0; i < 200; ++i) deep /= "d";
    std::filesystem::create_directories(deep);
    CHECK(use_of(folder) >= before);
    CHECK(use_of(folder / "none") == 0);
  }
  SECTION("what goes away in mid-look") {
    for (int i = 0; i < 100; ++i) fs::write_file(folder / ("f" + std::to_string(i)), "x");
    process::FolderUse use{folder.string()};
    CHECK_FALSE(use.look(5));
    std::filesystem::remove_all(folder);
    CHECK(use.look(100'000));
  }
}

TEST_CASE("a folder that holds too much is seen within a second, and only when it is so twice") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  process::VolumeWatch watch{{folder.path().string(), 2 * mib}};
  using Clock = process::VolumeWatch::Clock;
  const auto start = Clock::now();
  CHECK_FALSE(watch.overfull(start));
  fs::write_file(folder.path() / "much", bytes(3 * mib));
  CHECK_FALSE(watch.overfull(start + std::chrono::milliseconds{100}));  // it rests
  CHECK_FALSE(watch.overfull(start + std::chrono::seconds{1}));
  SECTION("it stays") {
    const auto full = watch.overfull(start + std::chrono::seconds{1});
    REQUIRE(full);
    CHECK((full->used >= 3 * mib && full->size == 2 * mib && full->folder == folder.path().string()));
  }
  SECTION("it goes again") {
    std::filesystem::remove(folder.path() / "much");
    CHECK_FALSE(watch.overfull(start + std::chrono::seconds{1}));
    CHECK_FALSE(watch.overfull(start + std::chrono::seconds{2}));
  }
  SECTION("at once") {
    CHECK(process::VolumeWatch::overfull_now({folder.path().string(), 2 * mib}));
    CHECK_FALSE(process::VolumeWatch::overfull_now({folder.path().string(), 4 * mib}));
  }
}

TEST_CASE("a stranger that writes more than its volume holds is ended") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto* const fills =
      "import sys, time\nfor i in range(8): open(sys.argv[1] + f'/{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(20)\n";
  auto result = process::run(writer(fills, folder.path(), 4 * mib));
  CHECK(result.end == process::End::volume_limit);
  CHECK(result.describe() == "it wrote more than its volume holds");
  REQUIRE(result.full);
  CHECK((result.full->used > 4 * mib && result.full->size == 4 * mib));
  CHECK(result.usage.wall < std::chrono::seconds{10});
  CHECK_THAT(result.held, Catch::VectorContains(std::string{"volume-size"}));

  result = process::run(writer("import time\ntime.sleep(1)\n", folder.path(), 16 * mib));
  CHECK(result.succeeded());
}
