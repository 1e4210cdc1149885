#include "capsule/segment_plan.hpp"

#include <catch2/catch.hpp>

using namespace capsule;  // NOLINT

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
using Kind = PlannedEntry::Kind;
using Role = Segment::Role;

PlannedEntry entry(Kind kind, std::uint64_t size) {
  return {kind, size, size + 512};
}

std::vector<std::pair<Role, std::size_t>> cut(const std::vector<PlannedEntry>& entries) {
  std::vector<std::pair<Role, std::size_t>> out;
  std::uint64_t offset = 0;
  for (const auto& segment : cut_segments(entries, segment_threshold(entries))) {
    CHECK(segment.tar_offset == offset);
    offset += segment.tar_size;
    out.emplace_back(segment.role, segment.last - segment.first);
  }
  return out;
}

}  // namespace

TEST_CASE("head, capsule.tarball, each large file, the runs between them and the end are segments") {
  CHECK(cut({entry(Kind::head, 10), entry(Kind::head, 10), entry(Kind::tarball, 0), entry(Kind::file, 1),
             entry(Kind::file, 4 * mib), entry(Kind::file, 4 * mib - 1), entry(Kind::file, 1),
             entry(Kind::file, 9 * mib), entry(Kind::file, 5 * mib)}) ==
        std::vector<std::pair<Role, std::size_t>>{{Role::head, 2},
                                                  {Role::tarball, 1},
                                                  {Role::files, 1},
                                                  {Role::files, 1},
                                                  {Role::files, 2},
                                                  {Role::files, 1},
                                                  {Role::files, 1},
                                                  {Role::end, 0}});
}

TEST_CASE("the threshold doubles until there are at most 96 segments") {
  std::vector<PlannedEntry> entries{entry(Kind::head, 10)};
  for (int i = 0; i < 94; ++i) entries.push_back(entry(Kind::file, 4 * mib));
  CHECK(segment_threshold(entries) == 4 * mib);
  CHECK(cut(entries).size() == 96);
  entries.push_back(entry(Kind::file, 4 * mib));
  CHECK(segment_threshold(entries) == 8 * mib);
  CHECK(cut(entries).size() == 3);
  for (int i = 0; i < 94; ++i) entries.push_back(entry(Kind::file, 20 * mib));
  CHECK(segment_threshold(entries) == 32 * mib);
}
