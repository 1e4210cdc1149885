#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <future>
#include <limits>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/beneath.hpp"
#include "fs/lock.hpp"
#include "fs/safe_path.hpp"
#include "fs/temporary.hpp"
#include "fs/walk.hpp"

using capsule::as_bytes;
using capsule::Error;
using namespace capsule::fs;
namespace stdfs = std::filesystem;

namespace {
std::size_t entries_in(const Path& folder) {
  return static_cast<std::size_t>(std::distance(stdfs::directory_iterator{folder}, stdfs::directory_iterator{}));
}
}  // namespace

TEST_CASE("a path inside a capsule stays inside") {
  CHECK(SafePath::parse("a/b.txt").text() == "a/b.txt");
  for (const std::string& bad :
       {std::string{""}, std::string{"/a"}, std::string{"../a"}, std::string{"a/../b"}, std::string{"./a"},
        std::string{"a//b"}, std::string{"a/"}, std::string{"a\\b"}, std::string("a\0b", 3), std::string{"a\nb"},
        std::string{"\xff"}, std::string{"a/.wh.b"}, std::string(1025, 'a'), std::string(256, 'a')}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(SafePath::parse(bad), Error);
  }
}

TEST_CASE("an atomic file appears whole or not at all") {
  const TemporaryFolder folder{temporary_parent()};
  const auto target = folder.path() / "file";
  {
    AtomicFile file{target};
    file.write(as_bytes("half"));
    CHECK_FALSE(stdfs::exists(target));
  }
  CHECK(entries_in(folder.path()) == 0);
  AtomicFile file{target};
  file.write(as_bytes("____ whole"));
  file.write_at(0, as_bytes("file"));
  file.commit();
  CHECK(read_file(target, 100) == "file whole");
  CHECK(entries_in(folder.path()) == 1);
  AtomicFile second{target};
  CHECK_THROWS_AS(second.commit(AtomicFile::Overwrite::no), Error);
  CHECK(read_file(target, 100) == "file whole");
}

TEST_CASE("a temporary folder goes with its owner, and one of a dead owner with the next") {
  const TemporaryFolder outer{temporary_parent()};
  stdfs::create_directory(outer.path() / ".tmp-dead");
  Path inner_path;
  {
    const TemporaryFolder inner{outer.path()};
    inner_path = inner.path();
    CHECK_FALSE(stdfs::exists(outer.path() / ".tmp-dead"));
    const TemporaryFolder other{outer.path()};
    CHECK(stdfs::exists(inner_path));  // a living owner's folder is left alone
  }
  CHECK_FALSE(stdfs::exists(inner_path));
}

TEST_CASE("what a killed writer left beside a target goes with the next write, a live writer's stays") {
  const TemporaryFolder folder{temporary_parent()};
  const auto target = folder.path() / "target";
  const auto left = folder.path() / ".target.tmp";
  std::ofstream{left} << "half";
  write_file(target, "whole");
  CHECK(read_file(target, 10) == "whole");
  CHECK_FALSE(stdfs::exists(left));

  std::ofstream{left} << "of another";
  const Fd other{::open(left.c_str(), O_RDONLY | O_CLOEXEC)};
  REQUIRE(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
  write_file(target, "again");
  CHECK(read_file(target, 10) == "again");
  CHECK(read_file(left, 20) == "of another");

  const auto write_many = [&] {
    for (int i = 0; i < 100; ++i) write_file(folder.path() / "shared", "one of many");
  };
  std::vector<std::future<void>> writers;
  for (int i = 0; i < 4; ++i) writers.push_back(std::async(std::launch::async, write_many));
  for (auto& writer : writers) CHECK_NOTHROW(writer.get());
  CHECK(std::distance(stdfs::directory_iterator{folder.path()}, stdfs::directory_iterator{}) == 3);
}

TEST_CASE("a new temporary folder is never taken for a dead one's") {
  const TemporaryFolder outer{temporary_parent()};
  const auto make_many = [&] {
    for (int i = 0; i < 300; ++i) {
      const TemporaryFolder folder{outer.path()};
      std::ofstream{folder.path() / "x"} << "x";
      if (!stdfs::exists(folder.path() / "x")) throw std::runtime_error{"swept away"};
    }
  };
  std::vector<std::future<void>> makers;
  for (int i = 0; i < 4; ++i) makers.push_back(std::async(std::launch::async, make_many));
  for (auto& maker : makers) CHECK_NOTHROW(maker.get());
}

TEST_CASE("a file is created below a folder and nowhere else") {
  const TemporaryFolder folder{temporary_parent()};
  const auto root = folder.path() / "root";
  stdfs::create_directories(root);
  stdfs::create_directory_symlink("/tmp", root / "link");
  CHECK_THROWS_AS(create_beneath(root, SafePath::parse("link/evil"), 0644), Error);
  CHECK(create_beneath(root, SafePath::parse("a/b/c"), 0755));
  CHECK_THROWS_AS(create_beneath(root, SafePath::parse("a/b/c"), 0755), Error);
  CHECK((stdfs::status(root / "a/b/c").permissions() & stdfs::perms::owner_exec) != stdfs::perms::none);
}

TEST_CASE("a walk is sorted, skips what is named, and refuses what is no regular file") {
  const TemporaryFolder folder{temporary_parent()};
  const auto& root = folder.path();
  for (const std::string name : {"b", "a/z", "a-b", "__pycache__/x", ".git/config"}) {
    stdfs::create_directories((root / name).parent_path());
    std::ofstream{root / name} << "x";
  }
  const auto walked = walk(root);
  std::string names;
  for (const auto& file : walked.files) names += file.path.text() + " ";
  CHECK(names == "a-b a/z b ");
  CHECK(walked.skipped == std::vector<std::string>{".git", "__pycache__"});
  SECTION("link") {
    stdfs::create_symlink("b", root / "link");
  }
  SECTION("fifo") {
    REQUIRE(::mkfifo((root / "fifo").c_str(), 0600) == 0);
  }
  SECTION("case twin") {
    std::ofstream{root / "B"} << "x";
  }
  SECTION("whiteout") {
    std::ofstream{root / ".wh.b"} << "x";
  }
  CHECK_THROWS_AS(walk(root), Error);
}

TEST_CASE("special files are never opened as input") {
  const TemporaryFolder folder{temporary_parent()};
  REQUIRE(::mkfifo((folder.path() / "fifo").c_str(), 0600) == 0);
  CHECK_THROWS_AS(FileSource{folder.path() / "fifo"}, Error);
  CHECK_THROWS_AS(FileSource{folder.path()}, Error);
  CHECK_THROWS_AS(FileSource{"/dev/null"}, Error);
}

TEST_CASE("a lock is held once") {
  const TemporaryFolder folder{temporary_parent()};
  const FileLock lock{folder.path() / "lock", std::chrono::milliseconds{0}};
  try {
    const FileLock second{folder.path() / "lock", std::chrono::milliseconds{20}};
    FAIL("locked twice");
  } catch (const Error& error) {
    CHECK(error.kind() == capsule::ErrorKind::busy);
  }
}

TEST_CASE("numbered locks of one file exclude their own number only, and leave nothing when they are killed") {
  const TemporaryFolder folder{temporary_parent()};
  const auto path = folder.path() / "lock";
  constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  {
    const NumberedLock lock{path, 7 << 2, std::chrono::milliseconds{0}};
    const NumberedLock other{path, 8 << 2, std::chrono::milliseconds{0}};
    const NumberedLock highest{path, last, std::chrono::milliseconds{0}};
    CHECK_THROWS_AS((NumberedLock{path, 7 << 2, std::chrono::milliseconds{20}}), Error);
    CHECK_THROWS_AS((NumberedLock{path, last, std::chrono::milliseconds{20}}), Error);
  }
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const NumberedLock lock{path, 1, std::chrono::milliseconds{0}};
    (void)!::write(pipe[1], "x", 1);
    ::pause();
  }
  char byte = 0;
  REQUIRE(::read(pipe[0], &byte, 1) == 1);
  CHECK_THROWS_AS((NumberedLock{path, 1, std::chrono::milliseconds{20}}), Error);
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  const NumberedLock after{path, 1, std::chrono::milliseconds{0}};
  CHECK(entries_in(folder.path()) == 1);
  CHECK(stdfs::file_size(path) == 0);

  std::atomic<int> inside{0};
  std::atomic<bool> alone{true};
  std::vector<std::future<void>> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(std::async(std::launch::async, [&] {
      for (int turn = 0; turn < 20; ++turn) {
        const NumberedLock lock{path, 2 << 2, std::chrono::minutes{1}};
        if (inside.fetch_add(1) != 0) alone = false;
        std::this_thread::yield();
        inside.fetch_sub(1);
      }
    }));
  }
  for (auto& worker : workers) worker.get();
  CHECK(alone);
}
