#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/bytes.hpp"
#include "fs/safe_path.hpp"

namespace capsule::archive {

/// POSIX.1-2017, pax, "ustar Interchange Format".
inline constexpr std::size_t tar_block_bytes = 512;
/// Two zero blocks.
inline constexpr std::size_t tar_end_bytes = 2 * tar_block_bytes;
/// The largest size that ustar's eleven octal digits hold.
inline constexpr std::uint64_t max_ustar_size = 077777777777;

/// Zero bytes that follow `size` bytes of content.
constexpr std::size_t tar_padding(std::uint64_t size) noexcept {
  return static_cast<std::size_t>((tar_block_bytes - size % tar_block_bytes) % tar_block_bytes);
}

enum class Executable { no, yes };

/// The one mode that a file of a capsule can have follows from its first four bytes: executable if they are `#!…` or
/// the ELF magic.
Executable executable_of(ByteView first_bytes) noexcept;

/// The header block (or blocks: a pax record stands in front only where ustar cannot hold path or size) of a file in a
/// canonical archive: uid = gid = 0, no names, mtime 0, mode 0755 or 0644.
Bytes tar_entry_header(const fs::SafePath& path, std::uint64_t size, Executable executable);

/// Size in bytes of that header; the mode does not change it.
std::size_t tar_entry_header_size(const fs::SafePath& path, std::uint64_t size);

/// Appends a whole entry: header, content, padding.
void append_tar_entry(Bytes& tar, const fs::SafePath& path, ByteView content);

/// The sum of a header block's bytes with its checksum field taken as spaces.
std::uint32_t tar_checksum(ByteView block) noexcept;

}  // namespace capsule::archive
