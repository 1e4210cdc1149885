#include "capsule/body.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "archive/tar_format.hpp"
#include "core/error.hpp"

namespace capsule {

Body::Body(const PackageContent& content, InputFiles& input) : m_content(content), m_input(input) {
  std::vector<PlannedEntry> with_head{{PlannedEntry::Kind::head, 0, 0}};  // stands for the head's segment
  for (const auto& file : content.files) {
    with_head.push_back(
        {PlannedEntry::kind_of(file.path.text()), file.size,
         archive::tar_entry_header_size(file.path, file.size) + file.size + archive::tar_padding(file.size)});
  }
  const auto threshold = segment_threshold(with_head);
  m_entries.assign(with_head.begin() + 1, with_head.end());
  m_segments = cut_segments(m_entries, threshold);
}

std::uint64_t Body::size() const noexcept {
  return m_segments.back().tar_offset + m_segments.back().tar_size;
}

bool Body::fill(archive::StoredMember& member, std::vector<MutableBytes>& pieces, std::vector<Job>& jobs) {
  pieces.clear();
  jobs.clear();
  if (m_segment == m_segments.size()) return false;
  const auto& segment = m_segments[m_segment];
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(archive::member_data_bytes, segment.tar_size - m_done));
  member.begin(size);
  for (std::size_t at = 0; at < size;) at += fill_some(member, at, pieces, jobs);
  m_done += size;
  if (m_done == segment.tar_size) {
    m_done = 0;
    ++m_segment;
  }
  return true;
}

/// Continues the entry under way from place `at` of the member; returns by how much.
std::size_t Body::fill_some(archive::StoredMember& member, std::size_t at, std::vector<MutableBytes>& pieces,
                            std::vector<Job>& jobs) {
  const auto room = member.size() - at;
  if (m_entry == m_content.files.size()) return put_zeros(member, at, room);  // the end of the archive
  const auto& file = m_content.files[m_entry];
  if (m_position == 0) begin_entry(file);
  const auto content_end = m_header.size() + file.size;
  std::size_t count = 0;
  if (m_position < m_header.size()) {
    const auto offset = static_cast<std::size_t>(m_position);
    count = std::min(room, m_header.size() - offset);
    member.put(at, ByteView{m_header}.subspan(offset, count));
  } else if (m_position < content_end) {
    count = static_cast<std::size_t>(std::min<std::uint64_t>(room, content_end - m_position));
    read_content(member, at, count, pieces, jobs);
  } else {
    count = put_zeros(member, at, std::min<std::uint64_t>(room, m_entries[m_entry].tar_size - m_position));
  }
  m_position += count;
  if (m_position >= content_end && !m_closed) end_content(jobs, pieces.size());
  if (m_position == m_entries[m_entry].tar_size) {
    m_position = 0;
    ++m_entry;
  }
  return count;
}

std::size_t Body::put_zeros(archive::StoredMember& member, std::size_t at, std::uint64_t count) {
  member.put(at, Bytes(static_cast<std::size_t>(count)));
  return static_cast<std::size_t>(count);
}

void Body::begin_entry(const PackageContent::File& file) {
  m_first = m_input.open(m_entry);
  m_header = archive::tar_entry_header(file.path, file.size, archive::executable_of(m_first));
  m_closed = false;
}

void Body::read_content(archive::StoredMember& member, std::size_t at, std::size_t count,
                        std::vector<MutableBytes>& pieces, std::vector<Job>& jobs) {
  const auto first = pieces.size();
  member.append_pieces(at, count, pieces);
  m_places.assign(pieces.begin() + static_cast<std::ptrdiff_t>(first), pieces.end());
  m_input.read(m_places);
  if (m_position == m_header.size()) check_first(std::span{pieces}.subspan(first));
  jobs.push_back({m_entry, first, pieces.size(), false});
}

/// The header was made from bytes that were read before: they must be the same still.
void Body::check_first(std::span<const MutableBytes> pieces) const {
  Bytes now;
  for (const auto piece : pieces) {
    const auto count = std::min(piece.size(), m_first.size() - now.size());
    now.insert(now.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count));
  }
  if (now != m_first) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} changed while it was packed: try again",
                                                      printable(m_content.files[m_entry].path.text(), 1024))};
  }
}

void Body::end_content(std::vector<Job>& jobs, std::size_t pieces) {
  m_input.close();
  m_closed = true;
  if (jobs.empty() || jobs.back().file != m_entry) jobs.push_back({m_entry, pieces, pieces, false});
  jobs.back().ends = true;
}

}  // namespace capsule
