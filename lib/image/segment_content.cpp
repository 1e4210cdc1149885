#include "image/segment_content.hpp"

#include <algorithm>

#include "archive/tar_format.hpp"
#include "core/error.hpp"

namespace capsule::image {

SegmentContent::SegmentContent(std::unique_ptr<Source> segment, std::uint64_t tar_size, std::uint64_t content_size)
    : m_segment(std::move(segment)),
      m_skip(tar_size - content_size - archive::tar_padding(content_size)),
      m_rest(content_size) {}

bool SegmentContent::next_member() {
  m_member.resize(archive::member_header_bytes);
  const auto got = read_fully(*m_segment, m_member);
  if (got == 0) return false;
  const auto sizes = got == m_member.size() ? archive::parse_member_header(m_member) : std::nullopt;
  if (!sizes) throw Error{ErrorKind::invalid_input, "a segment is no chain of gzip members"};
  m_member.resize(sizes->member);
  const auto body = MutableBytes{m_member}.subspan(archive::member_header_bytes);
  if (read_fully(*m_segment, body) != body.size()) throw Error{ErrorKind::invalid_input, "a segment is cut"};
  m_decoder.decode(m_member, *sizes, m_decoded);
  m_piece = 0;
  m_offset = 0;
  return true;
}

std::size_t SegmentContent::read(MutableBytes buffer) {
  while (m_rest != 0 && !buffer.empty()) {
    if (m_piece == m_decoded.pieces.size()) {
      if (!next_member()) throw Error{ErrorKind::invalid_input, "a segment is cut"};
      continue;
    }
    const auto piece = m_decoded.pieces[m_piece].subspan(m_offset);
    if (piece.empty()) {
      ++m_piece;
      m_offset = 0;
      continue;
    }
    if (m_skip != 0) {
      const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(m_skip, piece.size()));
      m_skip -= step;
      m_offset += step;
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({m_rest, piece.size(), buffer.size()}));
    std::copy_n(piece.begin(), count, buffer.begin());
    m_offset += count;
    m_rest -= count;
    return count;
  }
  return 0;
}

}  // namespace capsule::image
