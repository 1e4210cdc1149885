#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "capsule/segment.hpp"

namespace capsule {

/// An entry as the plan sees it.
struct PlannedEntry {
  enum class Kind : std::uint8_t { head, tarball, file };
  Kind kind{};
  std::uint64_t size = 0;      ///< content, bytes
  std::uint64_t tar_size = 0;  ///< header, content and padding, bytes

  static Kind kind_of(std::string_view path) noexcept;
};

/// A run of entries that is a segment. The last one, Role::end, has none.
struct PlannedSegment {
  Segment::Role role{};
  std::size_t first = 0;         ///< entry
  std::size_t last = 0;          ///< behind the last entry
  std::uint64_t tar_offset = 0;  ///< in the tar stream, bytes
  std::uint64_t tar_size = 0;    ///< bytes
};

/// A file of this size or more is a segment of its own, unless that made too many.
inline constexpr std::uint64_t first_threshold = std::uint64_t{4} << 20U;
inline constexpr std::size_t max_segments = 96;

/// Cuts a canonical archive at entries: the head; capsule.tarball alone; each file of `threshold` bytes or more alone;
/// runs of smaller files between them; the end. Pure.
std::vector<PlannedSegment> cut_segments(const std::vector<PlannedEntry>& entries, std::uint64_t threshold);

/// The smallest threshold, 4 MiB doubled, that gives at most 96 segments.
std::uint64_t segment_threshold(const std::vector<PlannedEntry>& entries);

/// Whether an entry is cut from its neighbours.
bool is_alone(const PlannedEntry& entry, std::uint64_t threshold) noexcept;

}  // namespace capsule
