#pragma once

#include <array>
#include <optional>
#include <vector>

#include "archive/gzip_member.hpp"
#include "archive/tar_reader.hpp"
#include "capsule/content_judge.hpp"
#include "capsule/metered_source.hpp"
#include "capsule/package_reader.hpp"
#include "capsule/segment_tracker.hpp"
#include "crypto/hash.hpp"

namespace capsule {

/// Error invalid_input if more was unpacked than the limit.
void check_tar_size(const archive::TarReader& tar, const PackageLimits& limits);

/// One read of a package of ours: members with their sizes in front, a pipeline of reading, decoding, judging, hashing
/// and writing them.
class MemberRead {
 public:
  MemberRead(MeteredSource& source, ContentJudge& judge, const ReadOptions& options, std::uint64_t threshold);

  /// `front`: what was read of `source` already, at most a member's header.
  ReadResult run(ByteView front);

  /// Set after run() if the digests of the segments were taken with another threshold than this package's. Only where a
  /// file is as long as a whole number of members does the threshold tell whether a segment ends.
  [[nodiscard]] const std::optional<std::uint64_t>& better_threshold() const noexcept { return m_better_threshold; }

 private:
  static constexpr std::size_t slots = 3;
  struct Slot {
    Bytes raw;
    archive::MemberSizes sizes{};
    archive::MemberDecoder decoder;
    archive::DecodedMember decoded;
    bool begins_segment = false;
    bool dropped = false;      ///< belongs to the head that is swapped out
    bool behind_head = false;  ///< the first behind it: the new head comes in front

    [[nodiscard]] ByteView member() const { return ByteView{raw}.first(sizes.member); }
    void decode() { decoder.decode(member(), sizes, decoded); }
    [[nodiscard]] SegmentTracker::Form form() const;
  };

  void run_pipeline();
  bool produce(Slot& slot);
  void judge_content(Slot& slot);
  void swap_head(Slot& slot);
  void hash_package(const Slot& slot);
  void write(const Slot& slot, Sink& output) const;
  void hash_segment(const Slot& slot);
  void hash_tar(const Slot& slot);
  [[nodiscard]] bool is_canonical() const;
  ReadResult result();
  void account_for_new_head(ReadResult& out) const;

  MeteredSource& m_source;
  ContentJudge& m_judge;
  const ReadOptions& m_options;
  archive::TarReader m_tar;
  SegmentTracker m_tracker;
  std::array<Slot, slots> m_slots;
  std::array<std::byte, archive::member_header_bytes> m_header{};  ///< of the member that comes next
  std::size_t m_header_size = 0;
  crypto::Hasher m_package_hash;
  crypto::Hasher m_segment_hash;
  crypto::Hasher m_tar_hash;
  std::size_t m_segments_seen = 0;   ///< by judge_content
  std::size_t m_segments_begun = 0;  ///< by hash_segment
  std::size_t m_tars_begun = 0;      ///< by hash_tar
  std::vector<Digest> m_digests;
  std::vector<Digest> m_diff_ids;
  std::optional<Bytes> m_signature;  ///< of the head that is swapped in
  Bytes m_head_tar;
  Bytes m_head;
  std::optional<std::uint64_t> m_better_threshold;
};

}  // namespace capsule
