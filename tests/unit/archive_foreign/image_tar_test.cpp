#include "archive/image_tar.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "support/tar_text.hpp"

using namespace capsule;
using archive::ImageTar;
using archive::ImageTarEntry;

namespace {

std::vector<ImageTarEntry> entries_of(const std::string& text, std::size_t most = 100) {
  ViewSource source{as_bytes(text)};
  ImageTar tar{source, most};
  std::vector<ImageTarEntry> out;
  ImageTarEntry entry;
  while (tar.next(entry)) out.push_back(entry);
  return out;
}

bool is_refused(const std::string& text, std::size_t most = 100) {
  try {
    (void)entries_of(text, most);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::invalid_input;
  }
  return false;
}

}  // namespace

TEST_CASE("entries come with a path in one form, their kind and their content") {
  const auto text = TarText{}
                        .folder("./")
                        .folder("./etc/")
                        .file("./etc//motd", "hi")
                        .symlink("bin", "usr/bin")
                        .hardlink("etc/again", "./etc/motd")
                        .device("dev/null", 1)
                        .entry("pipe", '6')
                        .text();
  const auto entries = entries_of(text);
  REQUIRE(entries.size() == 7);
  using Kind = ImageTarEntry::Kind;
  CHECK(entries[0].path.empty());
  CHECK(entries[1].path == "etc");
  CHECK(entries[1].kind == Kind::folder);
  CHECK(entries[2].path == "etc/motd");
  CHECK(entries[2].size == 2);
  CHECK(entries[3].link == "usr/bin");
  CHECK(entries[3].kind == Kind::symlink);
  CHECK(entries[4].kind == Kind::hardlink);
  CHECK(entries[5].device_major == 1);
  CHECK(entries[6].kind == Kind::other);

  ViewSource source{as_bytes(text)};
  ImageTar tar{source};
  ImageTarEntry entry;
  while (entry.path != "etc/motd") REQUIRE(tar.next(entry));
  StringSink sink{10};
  copy(tar.content(), sink);
  CHECK(sink.text() == "hi");
}

TEST_CASE("names with a NUL byte, sparse files and records that cannot be read are refused") {
  using namespace std::string_view_literals;
  CHECK_FALSE(is_refused(TarText{}.pax("path", "long").file("short", "x").text()));
  CHECK_FALSE(is_refused(TarText{}.pax("comment", "a\0b"sv).file("a", "x").text()));
  CHECK_FALSE(is_refused(TarText{}.pax("mtime", "1.5", 'g').file("a", "x").text()));
  CHECK_FALSE(is_refused(TarText{}.body("././@LongLink", 'L', "long/name\0"sv).file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("path", "good\0/../../evil"sv).file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("path", "good\0evil"sv, 'g').file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("linkpath", "good\0evil"sv).symlink("a", "x").text()));
  CHECK(is_refused(TarText{}.file("before", "x").pax("path", "good\0"sv).file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("GNU.sparse.realsize", "1099511627776").file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("GNU.sparse.size", "1099511627776").file("a", "x").text()));
  CHECK(is_refused(TarText{}.body("a", 'S', "").text()));
  CHECK(is_refused(TarText{}.body("pax", 'x', "99 path=a\n").file("a", "x").text()));
  CHECK(is_refused(TarText{}.pax("path", "a").unfinished()));
}

TEST_CASE("each header is looked at wherever it stands in a long archive") {
  using namespace std::string_literals;
  for (const std::size_t before : {1U, 127U << 10U, 128U << 10U, 130'560U, 131'000U, 700U << 10U, 5U << 20U}) {
    CAPTURE(before);
    TarText good;
    good.file("large", std::string(before, 'x')).pax("comment", std::string(200'000, 'c')).file("a", "x");
    CHECK(entries_of(good.text()).size() == 2);
    TarText bad;
    bad.file("large", std::string(before, 'x')).pax("path", std::string(3000, 'c') + "\0"s).file("a", "x");
    CHECK(is_refused(bad.text()));
  }
  CHECK(is_refused(TarText{}.pax("comment", std::string(600'000, 'c')).file("a", "x").text()));
}

TEST_CASE("what is no tar, is cut, or leaves the root is refused") {
  CHECK(is_refused(""));
  CHECK(is_refused(std::string(3000, 'x')));
  CHECK(is_refused("PK\x03\x04 and so on"));
  CHECK(is_refused(TarText{}.file("/etc/passwd", "x").text()));
  CHECK(is_refused(TarText{}.file("../x", "x").text()));
  CHECK(is_refused(TarText{}.file("a/../../x", "x").text()));
  CHECK(is_refused(TarText{}.file("a", std::string(5000, 'x')).text().substr(0, 2000)));
  CHECK(is_refused(TarText{}.file("a", "x").file("b", "x").text(), 1));
  CHECK_FALSE(is_refused(TarText{}.file("a", "x").file("b", "x").text(), 2));
}
