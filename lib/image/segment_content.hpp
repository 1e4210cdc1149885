#pragma once

#include <memory>

#include "archive/gzip_member.hpp"
#include "core/stream.hpp"

namespace capsule::image {

/// The content of the one file of a canonical segment (capsule.tarball's): the gzip members are decoded, the tar header
/// in front and the padding behind are left out. Error invalid_input.
class SegmentContent final : public Source {
 public:
  /// `tar_size` and `content_size` in bytes: what is more in the segment's tar is header and padding.
  SegmentContent(std::unique_ptr<Source> segment, std::uint64_t tar_size, std::uint64_t content_size);
  std::size_t read(MutableBytes buffer) override;

 private:
  bool next_member();
  std::unique_ptr<Source> m_segment;
  std::uint64_t m_skip;  ///< bytes of the header that are still to come
  std::uint64_t m_rest;  ///< bytes of the content that are still to come
  Bytes m_member;
  archive::MemberDecoder m_decoder;
  archive::DecodedMember m_decoded;
  std::size_t m_piece = 0;
  std::size_t m_offset = 0;  ///< in the piece
};

}  // namespace capsule::image
