#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <algorithm>

#include "archive/tar_format.hpp"
#include "archive/tar_reader.hpp"
#include "core/error.hpp"

using namespace capsule;           // NOLINT
using namespace capsule::archive;  // NOLINT

namespace {

/// Notes what it sees, a line an event.
class Notes final : public TarHandler {
 public:
  void begin_entry(const TarEntry& entry) override {
    const auto mode = !entry.canonical_mode ? "foreign" : *entry.canonical_mode == Executable::yes ? "755" : "644";
    text += fmt::format("{} {} {}: ", entry.path.text().substr(0, 200), entry.size, mode);
  }
  void entry_bytes(ByteView bytes) override { text += as_text(bytes); }
  void end_entry() override { text += "\n"; }
  void folder(const fs::SafePath& path) override { text += fmt::format("{}/\n", path.text()); }
  std::string text;
};

std::string read(ByteView tar, std::size_t step = SIZE_MAX) {
  Notes notes;
  TarReader reader{notes};
  while (!tar.empty()) {
    reader.feed(tar.first(std::min(step, tar.size())));
    tar = tar.subspan(std::min(step, tar.size()));
  }
  reader.finish();
  return notes.text;
}

bool is_canonical(ByteView tar) {
  Notes notes;
  TarReader reader{notes};
  reader.feed(tar);
  reader.finish();
  return reader.is_canonical();
}

/// A header block; fields may be overwritten before it is sealed.
struct Header {
  explicit Header(std::string_view name, std::uint64_t size = 0, char type = '0') {
    put(0, name);
    put(100, "0000644");
    put(108, "0001750");
    put(116, "0001750");
    put(124, fmt::format("{:011o}", size));
    put(136, "14371541351");
    put(156, std::string_view{&type, 1});
    put(257, std::string_view{"ustar\00000", 8});
  }
  Header& put(std::size_t offset, std::string_view text) {
    std::copy_n(as_bytes(text).begin(), text.size(), block.begin() + static_cast<std::ptrdiff_t>(offset));
    return *this;
  }
  Header& gnu() { return put(257, std::string_view{"ustar  \0", 8}); }
  [[nodiscard]] Bytes sealed() {
    put(148, fmt::format("{:06o}", tar_checksum(block)) + '\0' + ' ');
    return block;
  }
  Bytes block = Bytes(512);
};

Bytes operator+(const Bytes& left, ByteView right) {
  Bytes out(left.size() + right.size());
  std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), out.begin()));
  return out;
}

Bytes padded(std::string_view text) {
  Bytes out(text.size() + tar_padding(text.size()));
  std::copy_n(as_bytes(text).begin(), text.size(), out.begin());
  return out;
}

const Bytes end_blocks(1024);

Bytes pax(std::string_view records, char type = 'x') {
  return Header{"pax", records.size(), type}.sealed() + padded(records);
}

std::string record(std::string_view key, std::string_view value) {
  for (std::size_t length = 1;; ++length) {
    auto text = fmt::format("{} {}={}\n", length, key, value);
    if (text.size() == length) return text;
  }
}

std::string refusal(ByteView tar) {
  try {
    read(tar);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    return error.message();
  }
  return "accepted";
}

fs::SafePath path(std::string_view text) {
  return fs::SafePath::parse(text);
}

}  // namespace

TEST_CASE("what the canonical writer writes, the reader reads as canonical, in pieces of any size") {
  Bytes tar;
  const std::string long_name = std::string(120, 'd') + "/" + std::string(90, 'f');
  const std::string very_long = std::string(200, 'x') + "/" + std::string(200, 'y') + "/" + std::string(150, 'z');
  append_tar_entry(tar, path("a"), as_bytes("#!x"));
  append_tar_entry(tar, path("b/c"), as_bytes(std::string(512, 'c')));
  append_tar_entry(tar, path("empty"), {});
  append_tar_entry(tar, path(long_name), as_bytes("\177ELF"));
  append_tar_entry(tar, path(very_long), as_bytes("z"));
  append_tar_entry(tar, path("ünï"), as_bytes("u"));
  tar = tar + end_blocks;
  const auto wanted =
      fmt::format("a 3 755: #!x\nb/c 512 644: {}\nempty 0 644: \n{} 4 755: \177ELF\n{} 1 644: z\nünï 1 644: u\n",
                  std::string(512, 'c'), long_name.substr(0, 200), very_long.substr(0, 200));
  for (const std::size_t step : {1UL, 7UL, 511UL, 512UL, 513UL, 100'000UL}) CHECK(read(tar, step) == wanted);
  CHECK(is_canonical(tar));
}

TEST_CASE("a header's size is known without its content; a pax record stands only where ustar cannot hold it") {
  CHECK(tar_entry_header_size(path("a"), 5) == 512);
  CHECK(tar_entry_header_size(path(std::string(100, 'n')), 5) == 512);
  CHECK(tar_entry_header_size(path(std::string(101, 'n')), 5) == 1536);
  CHECK(tar_entry_header_size(path(std::string(155, 'p') + "/" + std::string(100, 'n')), 5) == 512);
  CHECK(tar_entry_header_size(path(std::string(156, 'p') + "/" + std::string(100, 'n')), 5) == 1536);
  CHECK(tar_entry_header_size(path("a"), max_ustar_size) == 512);
  CHECK(tar_entry_header_size(path("a"), max_ustar_size + 1) == 1536);
  for (const auto size : {std::uint64_t{0}, max_ustar_size, max_ustar_size + 1, std::uint64_t{64} << 30U}) {
    CHECK(tar_entry_header(path("a"), size, Executable::no).size() == tar_entry_header_size(path("a"), size));
  }
}

TEST_CASE("a file of over 8 GiB has its size in a pax record") {
  const auto size = max_ustar_size + 1;
  const auto header = tar_entry_header(path("big"), size, Executable::no);
  Notes notes;
  TarReader reader{notes};
  reader.feed(header);
  CHECK(notes.text == "big 8589934592 644: ");
  CHECK(reader.is_canonical());
}

TEST_CASE("other tools' forms are read: folders, ./, pax and GNU names, any owner, time and mode") {
  const auto tar =
      Header{"./", 0, '5'}.sealed() + Header{"./sub/", 0, '5'}.sealed() +
      Header{"./sub/a", 1}.put(100, "0007777").sealed() + padded("a") +
      pax(record("path", "sub/longer") + record("mtime", "1700000000.123456789") + record("SCHILY.ino", "7")) +
      Header{"sub/short", 1}.sealed() + padded("b") + Header{"././@LongLink", 10, 'L'}.gnu().sealed() +
      padded(std::string_view{"sub/gnu-l\0", 10}) + Header{"sub/g", 1}.gnu().put(345, "garbage").sealed() +
      padded("c") + pax(record("comment", "whatever"), 'g') + Header{"z", 0, '\0'}.sealed() + Bytes(10240);
  CHECK(read(tar) == "sub/\nsub/a 1 foreign: a\nsub/longer 1 foreign: b\nsub/gnu-l 1 foreign: c\nz 0 foreign: \n");
}

TEST_CASE("one leading ./ is taken off, no more") {
  CHECK(read(Header{"./a", 0}.sealed() + end_blocks) == "a 0 foreign: \n");
  CHECK(refusal(Header{"././a", 0}.sealed() + end_blocks) != "accepted");
}

TEST_CASE("what a capsule cannot hold is refused, before the handler sees it") {
  const auto tar =
      GENERATE_COPY(Header{"../a"}.sealed(), Header{"/a"}.sealed(), Header{"a/../../b"}.sealed(),
                    Header{"a\\b"}.sealed(), Header{"a\nb"}.sealed(), Header{".wh.a"}.sealed(), Header{""}.sealed(),
                    Header{"a/"}.sealed(), Header{"a\xff"}.sealed(), Header{std::string_view{"a\0b", 3}}.sealed(),
                    Header{"a", 0, '1'}.put(157, "b").sealed(), Header{"a", 0, '2'}.put(157, "/etc").sealed(),
                    Header{"a", 0, '3'}.sealed(), Header{"a", 0, '4'}.sealed(), Header{"a", 0, '6'}.sealed(),
                    Header{"a", 0, '7'}.sealed(), Header{"a", 0, 'S'}.sealed(), Header{"a", 0, 'K'}.sealed(),
                    Header{"a", 0, 'V'}.sealed(), Header{"../x/", 0, '5'}.sealed(), Header{"a", 1, '5'}.sealed());
  Notes notes;
  TarReader reader{notes};
  CHECK_THROWS_AS(reader.feed(tar), Error);
  CHECK(notes.text.empty());
}

TEST_CASE("sizes: negative, base-256, not octal, told twice: refused") {
  const std::string negative(12, '\xff');
  std::string base256(12, '\0');
  base256[0] = '\x80';
  base256[11] = 1;
  for (const auto& field : {std::string{"-0000000001"}, negative, base256, std::string{"0000000000x"},
                            std::string{"00000000008"}, std::string(12, '\0'), std::string{"1 000000000"}}) {
    CHECK(refusal(Header{"a"}.put(124, field).sealed() + end_blocks) != "accepted");
  }
  CHECK(refusal(pax("10 size=2\n") + Header{"a", 1}.sealed() + padded("a") + end_blocks) ==
        "the package's tar is refused: an entry has two sizes");
  CHECK(refusal(pax("10 size=1\n") + Header{"a", 1}.sealed() + padded("a") + end_blocks) == "accepted");
}

TEST_CASE("pax: bad records, doubled keys, keys that change what an entry is: refused") {
  const auto good = record("path", "a");
  const std::vector<std::string> bad{"5 a=b\n",
                                     "7 a=b\n",
                                     "99 path=a\n",
                                     "9 path=a\n\n",
                                     "x path=a\n",
                                     "010 path=a\n",
                                     "11 path=a\n\n",
                                     "18446744073709551626 a=b\n",
                                     "10 =aaaaaa\n",
                                     good + good,
                                     record("linkpath", "b"),
                                     record("GNU.sparse.size", "1"),
                                     record("GNU.sparse.major", "1"),
                                     record("SCHILY.realsize", "1"),
                                     record("unknown", ""),
                                     record("size", "-1"),
                                     record("size", "01"),
                                     record("size", ""),
                                     record("size", "99999999999999999999999"),
                                     record("path", ""),
                                     record("path", std::string_view{"a\0b", 3}),
                                     record("hdrcharset", "KOI8")};
  CHECK(refusal(pax(good) + Header{"b"}.sealed() + end_blocks) == "accepted");
  for (const auto& records : bad) {
    CAPTURE(records);
    CHECK(refusal(pax(records) + Header{"a"}.sealed() + end_blocks) != "accepted");
  }
}

TEST_CASE("pax headers: global path or size, two in a row, none behind, too large, path and GNU name: refused") {
  const auto entry = Header{"a"}.sealed();
  CHECK(refusal(pax("10 path=b\n", 'g') + entry + end_blocks) != "accepted");
  CHECK(refusal(pax("10 size=0\n", 'g') + entry + end_blocks) != "accepted");
  CHECK(refusal(pax("10 path=b\n") + pax("10 path=b\n") + entry + end_blocks) != "accepted");
  CHECK(refusal(pax("10 path=b\n") + end_blocks) != "accepted");
  CHECK(refusal(Header{"pax", 70'000, 'x'}.sealed()) != "accepted");
  CHECK(refusal(Header{"pax", 0, 'x'}.sealed() + entry + end_blocks) != "accepted");
  const auto gnu_name = Header{"L", 2, 'L'}.gnu().sealed() + padded(std::string_view{"c\0", 2});
  CHECK(refusal(pax("10 path=b\n") + gnu_name + entry + end_blocks) != "accepted");
  CHECK(refusal(gnu_name + gnu_name + entry + end_blocks) != "accepted");
  CHECK(refusal(Header{"L", 3, 'L'}.gnu().sealed() + padded(std::string_view{"c\0d", 3}) + entry + end_blocks) !=
        "accepted");
}

TEST_CASE(
    "the end: missing, one block, data behind it, dirty padding, half a block: refused; more zero blocks: not "
    "canonical") {
  const auto entry = Header{"a", 1}.sealed() + padded("a");
  CHECK(refusal(entry) != "accepted");
  CHECK(refusal(entry + Bytes(512)) != "accepted");
  CHECK(refusal(entry + end_blocks + entry) != "accepted");
  CHECK(refusal(entry + Bytes(512) + entry + end_blocks) != "accepted");
  CHECK(refusal(entry + Bytes(1300)) != "accepted");
  CHECK(refusal(ByteView{entry}.first(700)) != "accepted");
  CHECK(refusal(Bytes{}) != "accepted");
  CHECK(read(entry + Bytes(20 * 512)) == "a 1 foreign: a\n");
  auto dirty = entry + end_blocks;
  dirty[512 + 100] = std::byte{1};
  CHECK(refusal(dirty) == "the package's tar is refused: the padding behind an entry is not zero");
  CHECK(refusal(Header{"a"}.put(505, "x").sealed() + end_blocks) ==
        "the package's tar is refused: the padding of a header is not zero");
}

TEST_CASE("a header with a wrong checksum, or of another format, is refused") {
  auto bad = Header{"a"}.sealed();
  bad[0] = std::byte{'b'};
  CHECK(refusal(bad + end_blocks) == "the package's tar is refused: a header's checksum is wrong");
  CHECK(refusal(Header{"a"}.put(257, std::string_view{"\0\0\0\0\0\0\0\0", 8}).sealed() + end_blocks) != "accepted");
}

TEST_CASE("any difference from the canonical header is noticed") {
  Bytes tar;
  append_tar_entry(tar, path("a"), as_bytes("x"));
  for (const std::size_t at : {100UL, 108UL, 136UL, 265UL, 297UL, 329UL}) {
    auto other = tar;
    other[at] = std::byte{'1'};
    const auto sum = fmt::format("{:06o}", tar_checksum(other));
    std::copy_n(as_bytes(sum).begin(), 6, other.begin() + 148);
    CAPTURE(at);
    CHECK_FALSE(is_canonical(other + end_blocks));
  }
  CHECK(is_canonical(tar + end_blocks));
  CHECK_FALSE(is_canonical(tar + Bytes(1536)));
}
