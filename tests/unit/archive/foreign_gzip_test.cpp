#include "archive/foreign_gzip.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;           // NOLINT
using namespace capsule::archive;  // NOLINT

namespace {

// printf 'hello hello hello' | gzip -9n
const std::string hello = "1f8b0800000000000203cb48cdc9c957c84090008088f9e511000000";

std::string inflate(ByteView bytes, std::size_t front = 0) {
  ViewSource rest{bytes.subspan(front)};
  ForeignGzip gzip{bytes.first(front), rest};
  std::string out;
  Bytes buffer(7);
  while (const auto count = gzip.read(buffer)) out += as_text(ByteView{buffer}.first(count));
  return out;
}

}  // namespace

TEST_CASE("one gzip member of another tool is inflated, wherever its front was read") {
  const auto bytes = from_hex(hello);
  for (std::size_t front = 0; front <= bytes.size(); ++front) CHECK(inflate(bytes, front) == "hello hello hello");
}

TEST_CASE("a gzip stream that is cut off, damaged, or followed by anything is refused") {
  const auto good = from_hex(hello);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK_THROWS_AS(inflate(ByteView{good}.first(size)), Error);
  }
  for (const std::size_t at : {2UL, 3UL, 11UL, good.size() - 8, good.size() - 1}) {
    auto bad = good;
    bad[at] ^= std::byte{0xe0};
    CAPTURE(at);
    CHECK_THROWS_AS(inflate(bad), Error);
  }
  auto garbage = good;
  garbage.push_back(std::byte{0});
  CHECK_THROWS_AS(inflate(garbage), Error);
  auto twice = good;
  twice.insert(twice.end(), good.begin(), good.end());
  CHECK_THROWS_AS(inflate(twice), Error);
}
