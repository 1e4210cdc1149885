#include "archive/gzip_member.hpp"

#include <algorithm>
#include <array>

#include "archive/crc32.hpp"
#include "archive/little_endian.hpp"
#include "archive/member_frame.hpp"
#include "core/error.hpp"

namespace capsule::archive {

namespace {

// ID1 ID2 CM FLG(FEXTRA) MTIME×4 XFL OS, XLEN = 20, "CL", length 16.
constexpr std::array<unsigned char, 16> header_start{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 20, 0, 'C', 'L', 16, 0};

}  // namespace

void write_member_header(MutableBytes place, const MemberSizes& sizes) {
  std::transform(header_start.begin(), header_start.end(), place.begin(), [](unsigned char c) { return std::byte{c}; });
  store_le64(place.subspan(16), sizes.member);
  store_le64(place.subspan(24), sizes.data);
}

void write_member_trailer(MutableBytes place, std::uint32_t crc, std::size_t data) {
  store_le32(place, crc);
  store_le32(place.subspan(4), static_cast<std::uint32_t>(data));
}

std::optional<MemberSizes> parse_member_header(ByteView header) {
  const auto same = [](unsigned char wanted, std::byte found) { return std::byte{wanted} == found; };
  if (header.size() < member_header_bytes ||
      !std::equal(header_start.begin(), header_start.end(), header.begin(), same)) {
    return std::nullopt;
  }
  const auto member = load_le64(header.subspan(16));
  const auto data = load_le64(header.subspan(24));
  constexpr std::size_t least = member_header_bytes + 2 + member_trailer_bytes;
  if (member < least || member > max_member_bytes || data == 0 || data > member_data_bytes) {
    throw Error{ErrorKind::invalid_input, "a gzip member of the package claims a size that no member can have"};
  }
  return MemberSizes{static_cast<std::size_t>(member), static_cast<std::size_t>(data)};
}

std::uint64_t stored_segment_size(std::uint64_t tar_size) noexcept {
  const auto rest = static_cast<std::size_t>(tar_size % member_data_bytes);
  return tar_size / member_data_bytes * max_member_bytes + (rest == 0 ? 0 : stored_member_size(rest));
}

StoredMember::StoredMember() : m_bytes(max_member_bytes) {}

void StoredMember::begin(std::size_t data) {
  m_data = data;
  m_size = stored_member_size(data);
  write_member_header(m_bytes, {m_size, m_data});
  auto place = MutableBytes{m_bytes}.subspan(member_header_bytes);
  for (std::size_t rest = data;;) {
    const auto count = std::min(rest, stored_block_bytes);
    rest -= count;
    place[0] = std::byte{rest == 0 ? std::uint8_t{1} : std::uint8_t{0}};
    store_le16(place.subspan(1), static_cast<std::uint16_t>(count));
    store_le16(place.subspan(3), static_cast<std::uint16_t>(~count));
    if (rest == 0) break;
    place = place.subspan(stored_block_header_bytes + count);
  }
}

void StoredMember::append_pieces(std::size_t offset, std::size_t count, std::vector<MutableBytes>& pieces) {
  while (count > 0) {
    const auto block = offset / stored_block_bytes;
    const auto inside = offset % stored_block_bytes;
    const auto length = std::min(count, stored_block_bytes - inside);
    const auto start = member_header_bytes + (block + 1) * stored_block_header_bytes + offset;
    pieces.push_back(MutableBytes{m_bytes}.subspan(start, length));
    offset += length;
    count -= length;
  }
}

void StoredMember::put(std::size_t offset, ByteView bytes) {
  std::vector<MutableBytes> pieces;
  append_pieces(offset, bytes.size(), pieces);
  for (const auto piece : pieces) {
    std::copy_n(bytes.begin(), piece.size(), piece.begin());
    bytes = bytes.subspan(piece.size());
  }
}

void StoredMember::finish() {
  std::vector<MutableBytes> pieces;
  append_pieces(0, m_data, pieces);
  std::uint32_t crc = 0;
  for (const auto piece : pieces) crc = crc32(crc, piece);
  write_member_trailer(MutableBytes{m_bytes}.subspan(m_size - member_trailer_bytes), crc, m_data);
}

Bytes encode_stored(ByteView tar) {
  Bytes out;
  out.reserve(static_cast<std::size_t>(stored_segment_size(tar.size())));
  StoredMember member;
  while (!tar.empty()) {
    const auto count = std::min(tar.size(), member_data_bytes);
    member.begin(count);
    member.put(0, tar.first(count));
    member.finish();
    out.insert(out.end(), member.bytes().begin(), member.bytes().end());
    tar = tar.subspan(count);
  }
  return out;
}

}  // namespace capsule::archive
