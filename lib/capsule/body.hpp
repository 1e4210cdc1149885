#pragma once

#include <vector>

#include "archive/gzip_member.hpp"
#include "capsule/package_writer.hpp"
#include "capsule/segment_plan.hpp"

namespace capsule {

/// What follows a package's head, as one stream of tar bytes that is cut into members: no member holds parts of two
/// segments. The files' content is read straight into its place.
class Body {
 public:
  /// Both must outlive it.
  Body(const PackageContent& content, InputFiles& input);

  /// Bytes of tar.
  [[nodiscard]] std::uint64_t size() const noexcept;

  /// Content of a file in a member, to be hashed.
  struct Job {
    std::size_t file = 0;
    std::size_t first = 0;  ///< of the member's pieces
    std::size_t last = 0;   ///< behind the last
    bool ends = false;      ///< the file's last bytes
  };

  /// Lays out the next member, all but its CRC; false at the end.
  bool fill(archive::StoredMember& member, std::vector<MutableBytes>& pieces, std::vector<Job>& jobs);

 private:
  std::size_t fill_some(archive::StoredMember& member, std::size_t at, std::vector<MutableBytes>& pieces,
                        std::vector<Job>& jobs);
  std::size_t put_zeros(archive::StoredMember& member, std::size_t at, std::uint64_t count);
  void begin_entry(const PackageContent::File& file);
  void read_content(archive::StoredMember& member, std::size_t at, std::size_t count, std::vector<MutableBytes>& pieces,
                    std::vector<Job>& jobs);
  void check_first(std::span<const MutableBytes> pieces) const;
  void end_content(std::vector<Job>& jobs, std::size_t pieces);

  const PackageContent& m_content;
  InputFiles& m_input;
  std::vector<PlannedEntry> m_entries;
  std::vector<PlannedSegment> m_segments;
  std::size_t m_segment = 0;
  std::uint64_t m_done = 0;  ///< bytes of the segment
  std::size_t m_entry = 0;
  std::uint64_t m_position = 0;  ///< in the entry
  Bytes m_first;                 ///< of the file, which decide its mode
  Bytes m_header;
  std::vector<MutableBytes> m_places;
  bool m_closed = false;
};

}  // namespace capsule
