#include "image/file_tree.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;
using archive::ImageTarEntry;
using Kind = ImageTarEntry::Kind;

namespace {

struct Entry {
  Kind kind;
  std::string path;
  std::string link;
};

/// The message about the first entry that is refused; empty if all are fine.
std::string fault(const std::vector<Entry>& entries) {
  image::FileTree tree;
  try {
    for (const auto& [kind, path, link] : entries) tree.add({kind, path, link, 0, 0});
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("each entry is judged against those before it, and named") {
  const auto file = [](std::string path) { return Entry{Kind::file, std::move(path), {}}; };
  const auto folder = [](std::string path) { return Entry{Kind::folder, std::move(path), {}}; };
  const auto symlink = [](std::string path) { return Entry{Kind::symlink, std::move(path), "/x"}; };
  const auto hardlink = [](std::string path, std::string to) { return Entry{Kind::hardlink, path, std::move(to)}; };

  CHECK(fault({folder(""), folder("a"), file("a/b"), folder("a"), hardlink("c", "./a//b"), symlink("d"),
               hardlink("e", "d"), file("ab"), file("a/bc/d")})
            .empty());
  CHECK(fault({symlink("a"), file("a/b/c")}) == "the entry 'a/b/c': its path goes through 'a', a symbolic link");
  CHECK(fault({file("a"), file("a/b")}) == "the entry 'a/b': its path goes through 'a', a file");
  CHECK(fault({file("a/b"), symlink("a")}) == "the entry 'a' is there twice");
  CHECK(fault({file("a"), file("a")}) == "the entry 'a' is there twice");
  CHECK(fault({folder("a"), file("a")}) == "the entry 'a' is there twice");
  CHECK(fault({hardlink("b", "a"), file("a")}) ==
        "the entry 'b' is a hard link to 'a', and no such file stands before it");
  CHECK_FALSE(fault({folder("a"), hardlink("b", "a")}).empty());
  CHECK_FALSE(fault({symlink("a"), file("x/f"), hardlink("b", "a/f")}).empty());
  CHECK_FALSE(fault({hardlink("b", "b")}).empty());
  CHECK_FALSE(fault({file("")}).empty());
  CHECK_FALSE(fault({{Kind::symlink, "a/b", "../../x"}}).empty());
  CHECK(fault({{Kind::symlink, "a/b", "../x"}}).empty());
}

TEST_CASE("of many names none is lost and none invented") {
  image::FileTree tree;
  constexpr int count = 100'000;
  for (int i = 0; i < count; ++i) tree.add({Kind::file, fmt::format("{}/{}", i % 317, i), {}, 0, 0});
  for (int i = 0; i < count; i += 7) {
    CHECK_THROWS_AS(tree.add({Kind::file, fmt::format("{}/{}", i % 317, i), {}, 0, 0}), Error);
    tree.add({Kind::hardlink, fmt::format("again/{}", i), fmt::format("{}/{}", i % 317, i), 0, 0});
  }
}

TEST_CASE("folders that no entry names count too, so that depth costs no memory without end") {
  image::FileTree tree;
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "d/";
  const auto fill = [&] {
    for (int i = 0; i < 2000; ++i) tree.add({Kind::file, fmt::format("{}/{}x", i, deep), {}, 0, 0});
  };
  CHECK_THROWS_AS(fill(), Error);
}
