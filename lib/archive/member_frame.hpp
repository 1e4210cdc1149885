#pragma once

#include "archive/gzip_member.hpp"

namespace capsule::archive {

/// Writes the 32 bytes in front of a member's deflate blocks.
void write_member_header(MutableBytes place, const MemberSizes& sizes);

/// Writes the 8 bytes behind them.
void write_member_trailer(MutableBytes place, std::uint32_t crc, std::size_t data);

}  // namespace capsule::archive
