// libdeflate, for whole members in memory.
#include <libdeflate.h>

#include <algorithm>
#include <new>

#include "archive/crc32.hpp"
#include "archive/gzip_member.hpp"
#include "archive/little_endian.hpp"
#include "archive/member_frame.hpp"
#include "core/error.hpp"

namespace capsule::archive {

std::uint32_t crc32(std::uint32_t crc, ByteView bytes) noexcept {
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

namespace {

constexpr int compression_level = 6;
/// A member is deflated only where that saves a 32nd of it: stored data is read at the speed of memory.
constexpr std::size_t least_gain = 32;
/// A member that we write has 17 blocks; a member of many tiny ones is inflated like any other.
constexpr std::size_t max_stored_blocks = 64;

struct FreeCompressor {
  void operator()(libdeflate_compressor* handle) const noexcept { libdeflate_free_compressor(handle); }
};
struct FreeDecompressor {
  void operator()(libdeflate_decompressor* handle) const noexcept { libdeflate_free_decompressor(handle); }
};

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, std::string{reason}};
}

/// The data of a deflate body that has stored blocks only; false if it has others, or very many.
bool take_stored_blocks(ByteView body, DecodedMember& decoded) {
  decoded.canonical_stored = true;
  for (bool last = false; !last;) {
    if (body.size() < stored_block_header_bytes || decoded.pieces.size() == max_stored_blocks) return false;
    const auto head = std::to_integer<unsigned>(body[0]);
    const std::size_t length = load_le16(body.subspan(1));
    if (head > 1 || (length ^ load_le16(body.subspan(3))) != 0xffff) return false;
    body = body.subspan(stored_block_header_bytes);
    if (body.size() < length) return false;
    last = head == 1;
    if (length == 0 || (!last && length != stored_block_bytes)) decoded.canonical_stored = false;
    decoded.pieces.push_back(body.first(length));
    body = body.subspan(length);
  }
  return body.empty();
}

}  // namespace

struct MemberDeflater::State {
  std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor{libdeflate_alloc_compressor(compression_level)};
  Bytes plain = Bytes(member_data_bytes);
};

MemberDeflater::MemberDeflater() : m_state(std::make_unique<State>()) {
  if (!m_state->compressor) throw std::bad_alloc{};
}
MemberDeflater::~MemberDeflater() = default;

void MemberDeflater::deflate(StoredMember& member) {
  std::vector<MutableBytes> pieces;
  member.append_pieces(0, member.m_data, pieces);
  auto place = m_state->plain.begin();
  for (const auto piece : pieces) place = std::copy(piece.begin(), piece.end(), place);
  const Bytes trailer{member.bytes().end() - member_trailer_bytes, member.bytes().end()};
  const MutableBytes whole = member.m_bytes;
  constexpr auto frame = member_header_bytes + member_trailer_bytes;
  const auto most = std::max(frame, member.m_size - member.m_size / least_gain - 1);
  const auto size = libdeflate_deflate_compress(m_state->compressor.get(), m_state->plain.data(), member.m_data,
                                                whole.data() + member_header_bytes, most - frame);
  if (size == 0) {  // does not fit: back to the stored form
    member.begin(member.m_data);
    member.put(0, ByteView{m_state->plain}.first(member.m_data));
  } else {
    member.m_size = frame + size;
    write_member_header(whole, {member.m_size, member.m_data});
  }
  std::copy(trailer.begin(), trailer.end(), whole.subspan(member.m_size - member_trailer_bytes).begin());
}

struct MemberDecoder::State {
  std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor{libdeflate_alloc_decompressor()};
  Bytes plain;  // empty until a member comes that is not stored
};

MemberDecoder::MemberDecoder() : m_state(std::make_unique<State>()) {
  if (!m_state->decompressor) throw std::bad_alloc{};
}
MemberDecoder::~MemberDecoder() = default;

void MemberDecoder::inflate(ByteView body, std::size_t data, DecodedMember& decoded) {
  decoded.canonical_stored = false;
  decoded.pieces.clear();
  m_state->plain.resize(member_data_bytes);
  std::size_t read = 0;
  const auto result = libdeflate_deflate_decompress_ex(m_state->decompressor.get(), body.data(), body.size(),
                                                       m_state->plain.data(), data, &read, nullptr);
  if (result == LIBDEFLATE_SHORT_OUTPUT || result == LIBDEFLATE_INSUFFICIENT_SPACE) {
    refuse("a gzip member of the package holds another number of bytes than its header claims");
  }
  if (result != LIBDEFLATE_SUCCESS) refuse("a gzip member of the package is damaged: no valid deflate stream");
  if (read != body.size()) refuse("a gzip member of the package has bytes behind its deflate stream");
  decoded.pieces.push_back(ByteView{m_state->plain}.first(data));
}

void MemberDecoder::decode(ByteView member, const MemberSizes& sizes, DecodedMember& decoded) {
  decoded.pieces.clear();
  const auto body = member.subspan(member_header_bytes, sizes.member - member_header_bytes - member_trailer_bytes);
  if (!take_stored_blocks(body, decoded)) inflate(body, sizes.data, decoded);
  std::uint32_t crc = 0;
  std::size_t total = 0;
  for (const auto piece : decoded.pieces) {
    crc = crc32(crc, piece);
    total += piece.size();
  }
  const auto trailer = member.last(member_trailer_bytes);
  if (total != sizes.data || load_le32(trailer.subspan(4)) != total) {
    refuse("a gzip member of the package holds another number of bytes than it claims");
  }
  if (load_le32(trailer) != crc) refuse("a gzip member of the package is damaged: its CRC is wrong");
}

}  // namespace capsule::archive
