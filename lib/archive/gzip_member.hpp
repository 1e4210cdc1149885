#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.hpp"

namespace capsule::archive {

/// A package is a chain of gzip members (RFC 1952) of at most 1 MiB of tar stream each. Header, 32 bytes: MTIME 0,
/// XFL 0, OS 255, one FEXTRA subfield "CL" of 16 bytes: u64le size of the whole member, u64le size uncompressed. So a
/// reader finds the members without decoding them, and decodes them on all cores.
inline constexpr std::size_t member_data_bytes = std::size_t{1} << 20U;
inline constexpr std::size_t member_header_bytes = 32;
inline constexpr std::size_t member_trailer_bytes = 8;
/// The most that one stored deflate block holds (RFC 1951 §3.2.4); each has five bytes in front.
inline constexpr std::size_t stored_block_bytes = 65535;
inline constexpr std::size_t stored_block_header_bytes = 5;

/// Size of a stored member that holds `data` bytes.
constexpr std::size_t stored_member_size(std::size_t data) noexcept {
  const std::size_t blocks = data == 0 ? 1 : (data + stored_block_bytes - 1) / stored_block_bytes;
  return member_header_bytes + blocks * stored_block_header_bytes + data + member_trailer_bytes;
}
/// No member of ours is larger: what does not shrink is stored.
inline constexpr std::size_t max_member_bytes = stored_member_size(member_data_bytes);

struct MemberSizes {
  std::size_t member;  ///< the whole member, bytes
  std::size_t data;    ///< uncompressed, bytes
};

/// The sizes in a member's header (at least 32 bytes); nothing if the bytes are no such header. Error invalid_input if
/// they are, with sizes that no member can have.
std::optional<MemberSizes> parse_member_header(ByteView header);

/// Sizes in bytes of the stored members, back to back, of a segment of `tar_size` bytes.
std::uint64_t stored_segment_size(std::uint64_t tar_size) noexcept;

/// One stored member that is filled in place: the data's place lies between the block headers, so that nothing is
/// copied on its way from the file that is packed to the package.
class StoredMember {
 public:
  StoredMember();
  /// Lays the member out for `data` bytes (1 to 1 MiB); their content is not set.
  void begin(std::size_t data);
  [[nodiscard]] std::size_t size() const noexcept { return m_data; }  ///< of the data, bytes
  /// Appends to `pieces` where the `count` bytes of data at `offset` go, in order.
  void append_pieces(std::size_t offset, std::size_t count, std::vector<MutableBytes>& pieces);
  void put(std::size_t offset, ByteView bytes);
  /// Computes the CRC; the member is whole afterwards, and its bytes() may be written.
  void finish();
  [[nodiscard]] ByteView bytes() const noexcept { return ByteView{m_bytes}.first(m_size); }

 private:
  friend class MemberDeflater;
  Bytes m_bytes;
  std::size_t m_data = 0;
  std::size_t m_size = 0;
};

/// The whole of `tar` as stored members.
Bytes encode_stored(ByteView tar);

/// Deflates members (libdeflate); one per thread.
class MemberDeflater {
 public:
  MemberDeflater();
  ~MemberDeflater();
  MemberDeflater(const MemberDeflater&) = delete;
  MemberDeflater& operator=(const MemberDeflater&) = delete;
  /// Turns a finished stored member into its deflated form, in place; leaves it as it is where that saves little.
  void deflate(StoredMember& member);

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

/// What a member holds.
struct DecodedMember {
  std::vector<ByteView> pieces;   ///< the data, in order
  bool canonical_stored = false;  ///< the member is the one that StoredMember makes of this data
};

/// Decodes members; one per thread.
class MemberDecoder {
 public:
  MemberDecoder();
  ~MemberDecoder();
  MemberDecoder(const MemberDecoder&) = delete;
  MemberDecoder& operator=(const MemberDecoder&) = delete;
  /// Decodes one whole member whose header gave `sizes`. Stored data is not copied: the pieces lie in `member`, else in
  /// memory of the decoder, valid until its next call. Error invalid_input: not deflate, another size, a wrong CRC.
  void decode(ByteView member, const MemberSizes& sizes, DecodedMember& decoded);

 private:
  void inflate(ByteView body, std::size_t data, DecodedMember& decoded);
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace capsule::archive
