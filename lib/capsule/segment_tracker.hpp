#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "archive/gzip_member.hpp"
#include "archive/tar_reader.hpp"
#include "capsule/segment_plan.hpp"

namespace capsule {

/// Watches the members of a package, and tells in the end whether they are those of the canonical form, and where its
/// segments are.
class SegmentTracker {
 public:
  explicit SegmentTracker(std::uint64_t threshold) : m_threshold(threshold) {}

  /// Before a member's data is given to the tar reader; `entries` are those that have begun so far.
  void begin_member(const archive::TarReader& tar, std::size_t entries);
  enum class Form { stored, deflated, foreign };
  /// After that. Returns whether a segment begins with this member.
  bool end_member(const archive::MemberSizes& sizes, Form form, const std::vector<PlannedEntry>& entries);

  /// The segments, without digests, if all members were canonical.
  [[nodiscard]] std::optional<std::vector<Segment>> segments(const std::vector<PlannedEntry>& entries) const;
  /// Whether end_member cut where the segments are cut.
  [[nodiscard]] bool cut_rightly(const std::vector<PlannedEntry>& entries) const;

 private:
  struct Member {
    std::uint64_t tar_end;
    std::uint64_t file_end;
  };
  [[nodiscard]] bool is_cut(const std::vector<PlannedEntry>& entries) const;

  std::uint64_t m_threshold;
  std::vector<Member> m_members;      ///< all, while they are canonical
  std::vector<std::uint64_t> m_cuts;  ///< offsets in the tar where end_member saw a segment begin
  std::uint64_t m_tar = 0;
  std::uint64_t m_file = 0;
  std::size_t m_entries_before = 0;
  std::uint64_t m_short_members = 0;
  bool m_at_boundary = false;
  bool m_before_short = false;  ///< the member before held less than 1 MiB
  bool m_canonical = true;
};

}  // namespace capsule
