#include "archive/gzip_member.hpp"

#include <catch2/catch.hpp>

#include <numeric>

#include "archive/crc32.hpp"
#include "archive/foreign_gzip.hpp"
#include "archive/little_endian.hpp"
#include "core/error.hpp"

using namespace capsule;           // NOLINT
using namespace capsule::archive;  // NOLINT

namespace {

Bytes some_bytes(std::size_t count) {
  Bytes out(count);
  std::uint32_t state = 1;
  for (auto& byte : out) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24U);
  }
  return out;
}

Bytes member_of(ByteView data) {
  StoredMember member;
  member.begin(data.size());
  member.put(0, data);
  member.finish();
  return {member.bytes().begin(), member.bytes().end()};
}

Bytes joined(const DecodedMember& decoded) {
  Bytes out;
  for (const auto piece : decoded.pieces) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

DecodedMember decode(MemberDecoder& decoder, ByteView member) {
  DecodedMember out;
  decoder.decode(member, parse_member_header(member).value(), out);
  return out;
}

}  // namespace

TEST_CASE("a stored member is decoded to what was put in, without a copy") {
  MemberDecoder decoder;
  for (const std::size_t size :
       {1UL, 511UL, 65534UL, 65535UL, 65536UL, 131070UL, member_data_bytes - 1, member_data_bytes}) {
    CAPTURE(size);
    const auto data = some_bytes(size);
    const auto member = member_of(data);
    CHECK(member.size() == stored_member_size(size));
    const auto decoded = decode(decoder, member);
    CHECK(joined(decoded) == data);
    CHECK(decoded.canonical_stored);
    CHECK(decoded.pieces.front().data() > member.data());
    CHECK(decoded.pieces.back().data() < member.data() + member.size());
  }
}

TEST_CASE("zlib reads a stored member too") {
  const auto data = some_bytes(200'000);
  const auto member = member_of(data);
  ViewSource source{member};
  ForeignGzip gzip{{}, source};
  Bytes out(data.size() + 1);
  CHECK(read_fully(gzip, out) == data.size());
  out.pop_back();
  CHECK(out == data);
}

TEST_CASE("a deflated member is smaller, and decoded to the same") {
  StoredMember member;
  const Bytes data(member_data_bytes, std::byte{7});
  member.begin(data.size());
  member.put(0, data);
  member.finish();
  MemberDeflater deflater;
  deflater.deflate(member);
  CHECK(member.bytes().size() < 10'000);
  MemberDecoder decoder;
  const auto decoded = decode(decoder, member.bytes());
  CHECK(joined(decoded) == data);
  CHECK_FALSE(decoded.canonical_stored);

  const auto noise = some_bytes(100'000);
  member.begin(noise.size());
  member.put(0, noise);
  member.finish();
  deflater.deflate(member);
  const auto stored = member_of(noise);
  CHECK(std::equal(stored.begin(), stored.end(), member.bytes().begin(), member.bytes().end()));
}

TEST_CASE("stored blocks of other sizes hold the same data, and are not canonical") {
  const auto data = some_bytes(1000);
  Bytes member(member_header_bytes);
  const auto canonical = member_of(data);
  std::copy_n(canonical.begin(), member_header_bytes, member.begin());
  const auto add_block = [&](ByteView bytes, bool last) {
    Bytes head(5);
    head[0] = std::byte{last ? std::uint8_t{1} : std::uint8_t{0}};
    store_le16(MutableBytes{head}.subspan(1), static_cast<std::uint16_t>(bytes.size()));
    store_le16(MutableBytes{head}.subspan(3), static_cast<std::uint16_t>(~bytes.size()));
    member.insert(member.end(), head.begin(), head.end());
    member.insert(member.end(), bytes.begin(), bytes.end());
  };
  const auto count = GENERATE(2U, 500U);  // few: taken in place; many: inflated
  const auto step = data.size() / count;
  for (unsigned i = 0; i < count; ++i) add_block(ByteView{data}.subspan(i * step, step), i + 1 == count);
  member.insert(member.end(), canonical.end() - 8, canonical.end());
  store_le64(MutableBytes{member}.subspan(16), member.size());
  MemberDecoder decoder;
  const auto decoded = decode(decoder, member);
  CHECK(joined(decoded) == data);
  CHECK_FALSE(decoded.canonical_stored);
}

TEST_CASE("every damage to a member is an error") {
  const auto data = some_bytes(70'000);
  const auto good = member_of(data);
  MemberDecoder decoder;
  const auto decode_changed = [&](std::size_t at, std::byte flip) {
    auto bad = good;
    bad[at] ^= flip;
    const auto sizes = parse_member_header(good).value();
    DecodedMember out;
    decoder.decode(bad, sizes, out);
  };
  // Behind the header, in the second block's header, in the data, CRC and ISIZE.
  for (const std::size_t at : {32UL, 33UL, 35UL, 100UL, 37UL + 65535, 38UL + 65535, good.size() - 8, good.size() - 1}) {
    CAPTURE(at);
    CHECK_THROWS_AS(decode_changed(at, std::byte{1}), Error);
  }
}

TEST_CASE("a deflate stream of another length than the member claims is refused") {
  StoredMember stored;
  const Bytes data(10'000, std::byte{1});
  stored.begin(data.size());
  stored.put(0, data);
  stored.finish();
  MemberDeflater deflater;
  deflater.deflate(stored);
  const Bytes deflated{stored.bytes().begin(), stored.bytes().end()};
  MemberDecoder decoder;
  DecodedMember out;
  for (const std::size_t claimed : {std::size_t{9'999}, std::size_t{10'001}, member_data_bytes}) {
    CHECK_THROWS_AS(decoder.decode(deflated, {deflated.size(), claimed}, out), Error);
  }
  auto longer = deflated;
  longer.insert(longer.end() - 8, std::byte{0});
  CHECK_THROWS_AS(decoder.decode(longer, {longer.size(), data.size()}, out), Error);
}

TEST_CASE("a member's header is ours exactly, with sizes that a member can have") {
  const auto good = member_of(some_bytes(100));
  const auto sizes = parse_member_header(good);
  REQUIRE(sizes);
  CHECK(sizes->member == good.size());
  CHECK(sizes->data == 100);
  CHECK_FALSE(parse_member_header(ByteView{good}.first(31)));
  for (std::size_t at = 0; at < 16; ++at) {
    auto other = good;
    other[at] ^= std::byte{0x20};
    CAPTURE(at);
    CHECK_FALSE(parse_member_header(other));
  }
  const auto claim = [&](std::uint64_t member, std::uint64_t data) {
    auto bad = good;
    store_le64(MutableBytes{bad}.subspan(16), member);
    store_le64(MutableBytes{bad}.subspan(24), data);
    return parse_member_header(bad);
  };
  CHECK_THROWS_AS(claim(41, 100), Error);
  CHECK_THROWS_AS(claim(max_member_bytes + 1, 100), Error);
  CHECK_THROWS_AS(claim(good.size(), 0), Error);
  CHECK_THROWS_AS(claim(good.size(), member_data_bytes + 1), Error);
  CHECK_THROWS_AS(claim(UINT64_MAX, UINT64_MAX), Error);
}

TEST_CASE("the size of a stored segment is that of its members") {
  for (const std::size_t size : {512UL, member_data_bytes, member_data_bytes + 512, 3 * member_data_bytes}) {
    CHECK(encode_stored(Bytes(size)).size() == stored_segment_size(size));
  }
}
