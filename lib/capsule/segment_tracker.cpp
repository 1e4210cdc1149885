#include "capsule/segment_tracker.hpp"

#include <algorithm>

namespace capsule {

void SegmentTracker::begin_member(const archive::TarReader& tar, std::size_t entries) {
  m_at_boundary = tar.at_boundary();
  m_entries_before = entries;
}

/// A member of less than 1 MiB ends its segment. Behind a whole one, the entries on both sides decide.
bool SegmentTracker::is_cut(const std::vector<PlannedEntry>& entries) const {
  if (m_tar == 0) return true;
  if (!m_at_boundary) return false;
  if (m_before_short || m_entries_before >= entries.size() || m_entries_before == 0) return true;
  const auto& before = entries[m_entries_before - 1];
  const auto& next = entries[m_entries_before];
  using Kind = PlannedEntry::Kind;
  return is_alone(before, m_threshold) || is_alone(next, m_threshold) ||
         (before.kind == Kind::head) != (next.kind == Kind::head);
}

bool SegmentTracker::end_member(const archive::MemberSizes& sizes, Form form,
                                const std::vector<PlannedEntry>& entries) {
  const bool cut = is_cut(entries);
  if (cut) m_cuts.push_back(m_tar);
  m_tar += sizes.data;
  m_file += sizes.member;
  m_before_short = sizes.data < archive::member_data_bytes;
  m_short_members += m_before_short ? 1 : 0;
  const bool in_head = !entries.empty() && entries.back().kind == PlannedEntry::Kind::head;
  m_canonical =
      m_canonical && form != Form::foreign && !(in_head && form == Form::deflated) && m_short_members <= max_segments;
  if (m_canonical)
    m_members.push_back({m_tar, m_file});
  else
    m_members.clear();
  return cut;
}

std::optional<std::vector<Segment>> SegmentTracker::segments(const std::vector<PlannedEntry>& entries) const {
  if (!m_canonical) return std::nullopt;
  std::vector<Segment> out;
  auto member = m_members.begin();
  std::uint64_t offset = 0;
  for (const auto& planned : cut_segments(entries, segment_threshold(entries))) {
    const auto end = planned.tar_offset + planned.tar_size;
    for (auto tar = planned.tar_offset; tar < end; ++member) {
      tar = std::min(tar + archive::member_data_bytes, end);
      if (member == m_members.end() || member->tar_end != tar) return std::nullopt;
    }
    const auto file_end = std::prev(member)->file_end;
    out.push_back({planned.role, offset, file_end - offset, planned.tar_size, std::nullopt, std::nullopt});
    offset = file_end;
  }
  if (member != m_members.end()) return std::nullopt;
  return out;
}

bool SegmentTracker::cut_rightly(const std::vector<PlannedEntry>& entries) const {
  const auto plan = cut_segments(entries, segment_threshold(entries));
  return std::equal(plan.begin(), plan.end(), m_cuts.begin(), m_cuts.end(),
                    [](const PlannedSegment& segment, std::uint64_t cut) { return segment.tar_offset == cut; });
}

}  // namespace capsule
