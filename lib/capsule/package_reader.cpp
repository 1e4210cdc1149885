#include "capsule/package_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "archive/foreign_gzip.hpp"
#include "archive/gzip_member.hpp"
#include "archive/pipeline.hpp"
#include "archive/tar_reader.hpp"
#include "capsule/segment_tracker.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/fd.hpp"

namespace capsule {

namespace {

using archive::Pipeline;

constexpr std::size_t slots = 6;

/// Counts, limits and reports the bytes of the package.
class MeteredSource final : public Source {
 public:
  MeteredSource(Source& source, const ReadOptions& options) : m_source(source), m_options(options) {}

  std::size_t read(MutableBytes buffer) override {
    const auto count = m_source.read(buffer);
    m_count += count;
    if (m_count > m_options.limits.total_bytes) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("the package is larger than {}, the limit", human_size(m_options.limits.total_bytes))};
    }
    if (m_options.progress != nullptr) m_options.progress->advance(count);
    return count;
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return m_count; }

 private:
  Source& m_source;
  const ReadOptions& m_options;
  std::uint64_t m_count = 0;
};

/// Hashes what is read.
class HashingSource final : public Source {
 public:
  explicit HashingSource(Source& source) : m_source(source) {}
  std::size_t read(MutableBytes buffer) override {
    const auto count = m_source.read(buffer);
    m_hasher.update(ByteView{buffer}.first(count));
    return count;
  }
  crypto::Hasher& hasher() noexcept { return m_hasher; }

 private:
  Source& m_source;
  crypto::Hasher m_hasher;
};

void check_tar_size(const archive::TarReader& tar, const PackageLimits& limits) {
  if (tar.offset() <= limits.total_bytes) return;
  throw Error{ErrorKind::invalid_input,
              fmt::format("the package unpacks to more than {}, the limit", human_size(limits.total_bytes))};
}

/// A package of ours: members with their sizes in front.
class MemberRead {
 public:
  MemberRead(MeteredSource& source, ContentJudge& judge, const ReadOptions& options, std::uint64_t threshold)
      : m_source(source), m_judge(judge), m_options(options), m_tar(judge), m_tracker(threshold) {
    for (auto& slot : m_slots) slot.raw.resize(archive::max_member_bytes + archive::member_header_bytes);
  }

  /// Set after run() if the digests of the segments were taken with another threshold than this package's. Only where a
  /// file is as long as a whole number of members does the threshold tell whether a segment ends.
  [[nodiscard]] const std::optional<std::uint64_t>& better_threshold() const noexcept { return m_better_threshold; }

  ReadResult run(ByteView front) {
    std::copy(front.begin(), front.end(), m_header.begin());
    m_header_size = front.size();
    run_pipeline();
    m_tar.finish();
    m_judge.finish();
    return result();
  }

 private:
  void run_pipeline() {
    constexpr auto serial = Pipeline::Order::serial;
    Pipeline pipeline{slots, [this](std::size_t i) { return produce(m_slots[i]); }};
    const auto decode = pipeline.add(Pipeline::Order::parallel, [this](std::size_t i) { m_slots[i].decode(); });
    const auto content = pipeline.add(serial, [this](std::size_t i) { judge_content(m_slots[i]); }, {decode});
    // With another head, the first bytes of the package are known once the old head was read.
    std::vector<Pipeline::StageId> output_after;
    if (m_options.swap != nullptr) output_after.push_back(content);
    pipeline.add(
        serial, [this](std::size_t i) { hash_package(m_slots[i]); }, output_after);
    if (m_options.swap != nullptr && m_options.swap->output != nullptr)
      pipeline.add(serial, [this](std::size_t i) { write(m_slots[i], *m_options.swap->output); }, {content});
    if (m_options.segment_digests == SegmentDigests::yes) {
      pipeline.add(serial, [this](std::size_t i) { hash_segment(m_slots[i]); }, {content});
      pipeline.add(serial, [this](std::size_t i) { hash_tar(m_slots[i]); }, {content});
    }
    pipeline.run(Pipeline::default_workers());
  }

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
    [[nodiscard]] SegmentTracker::Form form() const {
      if (decoded.canonical_stored) return SegmentTracker::Form::stored;
      return sizes.member < archive::stored_member_size(sizes.data) ? SegmentTracker::Form::deflated
                                                                    : SegmentTracker::Form::foreign;
    }
  };

  /// One read gets a member and the header of the next, which says how much the next read is.
  bool produce(Slot& slot) {
    if (m_header_size == 0) return false;
    const auto header = ByteView{m_header}.first(m_header_size);
    const auto sizes = archive::parse_member_header(header);
    if (!sizes) throw Error{ErrorKind::invalid_input, "the package has bytes that are no gzip member of a package"};
    slot.sizes = *sizes;
    std::copy(header.begin(), header.end(), slot.raw.begin());
    const auto rest = MutableBytes{slot.raw}.subspan(header.size(), sizes->member);
    const auto count = read_fully(m_source, rest);
    if (count + header.size() < sizes->member) throw Error{ErrorKind::invalid_input, "the package is cut off"};
    m_header_size = count + header.size() - sizes->member;
    const auto next = ByteView{slot.raw}.subspan(sizes->member, m_header_size);
    std::copy(next.begin(), next.end(), m_header.begin());
    return true;
  }

  void judge_content(Slot& slot) {
    m_tracker.begin_member(m_tar, m_judge.entries().size());
    for (const auto piece : slot.decoded.pieces) m_tar.feed(piece);
    check_tar_size(m_tar, m_options.limits);
    slot.begins_segment = m_tracker.end_member(slot.sizes, slot.form(), m_judge.entries());
    m_segments_seen += slot.begins_segment ? 1 : 0;
    if (m_options.swap != nullptr) swap_head(slot);
  }

  /// Of a package whose head is swapped, the first segment is the new head.
  void swap_head(Slot& slot) {
    slot.dropped = m_segments_seen == 1;
    slot.behind_head = slot.begins_segment && m_segments_seen == 2;
    if (!slot.behind_head) return;
    const auto* head = m_judge.head();
    if (head == nullptr) return;  // not canonical: result() says so
    m_signature = m_options.swap->sign(*head);
    m_head_tar = head_tar(m_signature, head->checksums_text, head->manifest_text);
    m_head = archive::encode_stored(m_head_tar);
  }

  void hash_package(const Slot& slot) {
    if (slot.behind_head) m_package_hash.update(m_head);
    if (!slot.dropped) m_package_hash.update(slot.member());
  }

  void write(const Slot& slot, Sink& output) const {
    if (slot.behind_head) output.write(m_head);
    if (!slot.dropped) output.write(slot.member());
  }

  void hash_segment(const Slot& slot) {
    if (slot.behind_head) m_segment_hash.update(m_head);
    if (slot.begins_segment && m_segments_begun++ > 0) m_digests.push_back(m_segment_hash.finish());
    if (!slot.dropped) m_segment_hash.update(slot.member());
  }

  void hash_tar(const Slot& slot) {
    if (slot.behind_head) m_tar_hash.update(m_head_tar);
    if (slot.begins_segment && m_tars_begun++ > 0) m_diff_ids.push_back(m_tar_hash.finish());
    if (slot.dropped) return;
    for (const auto piece : slot.decoded.pieces) m_tar_hash.update(piece);
  }

  [[nodiscard]] bool is_canonical() const {
    const bool swapped = m_options.swap == nullptr || !m_head.empty();
    return swapped && m_tar.is_canonical() && m_judge.is_canonical();
  }

  ReadResult result() {
    ReadResult out{m_package_hash.finish(), m_source.count(), m_signature, false, {}};
    const auto& entries = m_judge.entries();
    auto segments = is_canonical() ? m_tracker.segments(entries) : std::nullopt;
    out.canonical = segments.has_value();
    if (!segments) return out;
    out.segments = *std::move(segments);
    if (m_options.swap != nullptr) account_for_new_head(out);
    if (m_options.segment_digests == SegmentDigests::no) return out;
    if (!m_tracker.cut_rightly(entries)) {
      m_better_threshold = segment_threshold(entries);
      return out;
    }
    m_digests.push_back(m_segment_hash.finish());
    m_diff_ids.push_back(m_tar_hash.finish());
    for (std::size_t i = 0; i < out.segments.size(); ++i) {
      out.segments[i].digest = m_digests[i];
      out.segments[i].diff_id = m_diff_ids[i];
    }
    return out;
  }

  void account_for_new_head(ReadResult& out) const {
    std::uint64_t offset = 0;
    out.segments.front().size = m_head.size();
    out.segments.front().tar_size = m_head_tar.size();
    for (auto& segment : out.segments) {
      segment.offset = offset;
      offset += segment.size;
    }
    out.package_size = offset;
  }

  MeteredSource& m_source;
  ContentJudge& m_judge;
  const ReadOptions& m_options;
  archive::TarReader m_tar;
  SegmentTracker m_tracker;
  std::array<Slot, slots> m_slots;
  std::array<std::byte, archive::member_header_bytes> m_header{};
  std::size_t m_header_size = 0;
  crypto::Hasher m_package_hash;
  crypto::Hasher m_segment_hash;
  crypto::Hasher m_tar_hash;
  std::optional<std::uint64_t> m_better_threshold;
  std::size_t m_segments_seen = 0;   ///< by the judge
  std::optional<Bytes> m_signature;  ///< of the head that is swapped in
  Bytes m_head_tar;
  Bytes m_head;
  std::size_t m_segments_begun = 0;
  std::size_t m_tars_begun = 0;
  std::vector<Digest> m_digests;
  std::vector<Digest> m_diff_ids;
};

/// One gzip stream of another tool: one thread inflates, another judges.
ReadResult read_foreign(ByteView front, MeteredSource& source, ContentJudge& judge, const ReadOptions& options) {
  HashingSource hashing{source};
  hashing.hasher().update(front);
  archive::ForeignGzip gzip{front, hashing};
  archive::TarReader tar{judge};
  struct Slot {
    Bytes bytes = Bytes(archive::member_data_bytes);
    std::size_t size = 0;
  };
  std::array<Slot, slots> buffers;
  Pipeline pipeline{slots, [&](std::size_t i) {
                      buffers[i].size = read_fully(gzip, buffers[i].bytes);
                      return buffers[i].size > 0;
                    }};
  pipeline.add(Pipeline::Order::serial, [&](std::size_t i) {
    tar.feed(ByteView{buffers[i].bytes}.first(buffers[i].size));
    check_tar_size(tar, options.limits);
  });
  pipeline.run(Pipeline::default_workers());
  tar.finish();
  judge.finish();
  return {hashing.hasher().finish(), source.count(), std::nullopt, false, {}};
}

struct Attempt {
  ReadResult result;
  std::optional<std::uint64_t> better_threshold;
};

Attempt read_once(Source& package, ContentJudge& judge, const ReadOptions& options, std::uint64_t threshold) {
  MeteredSource source{package, options};
  std::array<std::byte, archive::member_header_bytes> front{};
  const auto begin = ByteView{front}.first(read_fully(source, front));
  if (!as_text(begin).starts_with("\x1f\x8b")) throw Error{ErrorKind::invalid_input, "the package is no gzip file"};
  if (!archive::parse_member_header(begin)) return {read_foreign(begin, source, judge, options), std::nullopt};
  const auto read = std::make_unique<MemberRead>(source, judge, options, threshold);
  auto result = read->run(begin);
  return {std::move(result), read->better_threshold()};
}

/// Reads the package again for the digests of its segments; its content was judged already.
std::vector<Segment> read_segments_again(Source& package, const ReadOptions& options, const ReadResult& first,
                                         std::uint64_t threshold) {
  const auto* file = dynamic_cast<const fs::FileSource*>(&package);
  if (file == nullptr || ::lseek(file->fd(), 0, SEEK_SET) != 0) {
    throw Error{ErrorKind::invalid_input, "the segments of this package can be told only from a file: store it first"};
  }
  HeadSwap swap{[&](const PackageHead&) { return *first.signature; }, nullptr};
  ContentJudge judge{{options.limits, nullptr, ContentJudge::Signature::optional, {}}};
  const ReadOptions again{options.limits, SegmentDigests::yes, nullptr, options.swap == nullptr ? nullptr : &swap};
  auto second = read_once(package, judge, again, threshold);
  if (second.result.package_digest != first.package_digest || second.better_threshold)
    throw Error{ErrorKind::verification_failed, "the package changed while it was read"};
  return std::move(second.result.segments);
}

}  // namespace

ReadResult read_package(Source& package, ContentJudge& judge, const ReadOptions& options) {
  auto attempt = read_once(package, judge, options, first_threshold);
  if (attempt.better_threshold)
    attempt.result.segments = read_segments_again(package, options, attempt.result, *attempt.better_threshold);
  return std::move(attempt.result);
}

}  // namespace capsule
