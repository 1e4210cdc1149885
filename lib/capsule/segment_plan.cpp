#include "capsule/segment_plan.hpp"

#include "archive/tar_format.hpp"
#include "capsule/head.hpp"

namespace capsule {

PlannedEntry::Kind PlannedEntry::kind_of(std::string_view path) noexcept {
  if (path == head::signature || path == head::checksums || path == head::manifest) return Kind::head;
  return path == head::tarball ? Kind::tarball : Kind::file;
}

bool is_alone(const PlannedEntry& entry, std::uint64_t threshold) noexcept {
  return entry.kind == PlannedEntry::Kind::tarball ||
         (entry.kind == PlannedEntry::Kind::file && entry.size >= threshold);
}

std::vector<PlannedSegment> cut_segments(const std::vector<PlannedEntry>& entries, std::uint64_t threshold) {
  using Kind = PlannedEntry::Kind;
  using Role = Segment::Role;
  std::vector<PlannedSegment> out;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    const bool cut = i == 0 || is_alone(entry, threshold) || is_alone(entries[i - 1], threshold) ||
                     (entry.kind == Kind::head) != (entries[i - 1].kind == Kind::head);
    if (cut) {
      const auto role = entry.kind == Kind::head      ? Role::head
                        : entry.kind == Kind::tarball ? Role::tarball
                                                      : Role::files;
      out.push_back({role, i, i, offset, 0});
    }
    out.back().last = i + 1;
    out.back().tar_size += entry.tar_size;
    offset += entry.tar_size;
  }
  out.push_back({Role::end, entries.size(), entries.size(), offset, archive::tar_end_bytes});
  return out;
}

std::uint64_t segment_threshold(const std::vector<PlannedEntry>& entries) {
  auto threshold = first_threshold;
  while (cut_segments(entries, threshold).size() > max_segments) threshold *= 2;
  return threshold;
}

}  // namespace capsule
