#include "capsule/member_read.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "archive/pipeline.hpp"
#include "core/error.hpp"

namespace capsule {

using archive::Pipeline;

void check_tar_size(const archive::TarReader& tar, const PackageLimits& limits) {
  if (tar.offset() <= limits.total_bytes) return;
  throw Error{ErrorKind::invalid_input,
              fmt::format("the package unpacks to more than {}, the limit", human_size(limits.total_bytes))};
}

SegmentTracker::Form MemberRead::Slot::form() const {
  if (decoded.canonical_stored) return SegmentTracker::Form::stored;
  const bool shrinks = sizes.member < archive::stored_member_size(sizes.data);
  return shrinks ? SegmentTracker::Form::deflated : SegmentTracker::Form::foreign;
}

MemberRead::MemberRead(MeteredSource& source, ContentJudge& judge, const ReadOptions& options, std::uint64_t threshold)
    : m_source(source), m_judge(judge), m_options(options), m_tar(judge), m_tracker(threshold) {}

ReadResult MemberRead::run(ByteView front) {
  std::copy(front.begin(), front.end(), m_header.begin());
  m_header_size = front.size();
  run_pipeline();
  m_tar.finish();
  m_judge.finish();
  return result();
}

void MemberRead::run_pipeline() {
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
  pipeline.run(m_options.workers != 0 ? m_options.workers : Pipeline::default_workers());
}

/// One read gets a member and the header of the next, which says how much the next read is.
bool MemberRead::produce(Slot& slot) {
  if (m_header_size == 0) return false;
  const auto header = ByteView{m_header}.first(m_header_size);
  const auto sizes = archive::parse_member_header(header);
  if (!sizes) throw Error{ErrorKind::invalid_input, "the package has bytes that are no gzip member of a package"};
  slot.sizes = *sizes;
  const auto room = sizes->member + archive::member_header_bytes;
  if (slot.raw.size() < room) slot.raw = Bytes(room);
  std::copy(header.begin(), header.end(), slot.raw.begin());
  const auto rest = MutableBytes{slot.raw}.subspan(header.size(), sizes->member);
  const auto count = read_fully(m_source, rest);
  if (count + header.size() < sizes->member) throw Error{ErrorKind::invalid_input, "the package is cut off"};
  m_header_size = count + header.size() - sizes->member;
  const auto next = ByteView{slot.raw}.subspan(sizes->member, m_header_size);
  std::copy(next.begin(), next.end(), m_header.begin());
  return true;
}

void MemberRead::judge_content(Slot& slot) {
  m_tracker.begin_member(m_tar, m_judge.entries().size());
  for (const auto piece : slot.decoded.pieces) m_tar.feed(piece);
  check_tar_size(m_tar, m_options.limits);
  slot.begins_segment = m_tracker.end_member(slot.sizes, slot.form(), m_judge.entries());
  m_segments_seen += slot.begins_segment ? 1 : 0;
  if (m_options.swap != nullptr) swap_head(slot);
}

/// Of a package whose head is swapped, the first segment is the new head.
void MemberRead::swap_head(Slot& slot) {
  slot.dropped = m_segments_seen == 1;
  slot.behind_head = slot.begins_segment && m_segments_seen == 2;
  if (!slot.behind_head) return;
  const auto* head = m_judge.head();
  if (head == nullptr) return;  // not canonical: result() says so
  m_signature = m_options.swap->sign(*head);
  m_head_tar = head_tar(m_signature, head->checksums_text, head->manifest_text);
  m_head = archive::encode_stored(m_head_tar);
}

void MemberRead::hash_package(const Slot& slot) {
  if (slot.behind_head) m_package_hash.update(m_head);
  if (!slot.dropped) m_package_hash.update(slot.member());
}

void MemberRead::write(const Slot& slot, Sink& output) const {
  if (slot.behind_head) output.write(m_head);
  if (!slot.dropped) output.write(slot.member());
}

void MemberRead::hash_segment(const Slot& slot) {
  if (slot.behind_head) m_segment_hash.update(m_head);
  if (slot.begins_segment && m_segments_begun++ > 0) m_digests.push_back(m_segment_hash.finish());
  if (!slot.dropped) m_segment_hash.update(slot.member());
}

void MemberRead::hash_tar(const Slot& slot) {
  if (slot.behind_head) m_tar_hash.update(m_head_tar);
  if (slot.begins_segment && m_tars_begun++ > 0) m_diff_ids.push_back(m_tar_hash.finish());
  if (slot.dropped) return;
  for (const auto piece : slot.decoded.pieces) m_tar_hash.update(piece);
}

bool MemberRead::is_canonical() const {
  const bool swapped = m_options.swap == nullptr || !m_head.empty();
  return swapped && m_tar.is_canonical() && m_judge.is_canonical();
}

ReadResult MemberRead::result() {
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

void MemberRead::account_for_new_head(ReadResult& out) const {
  std::uint64_t offset = 0;
  out.segments.front().size = m_head.size();
  out.segments.front().tar_size = m_head_tar.size();
  for (auto& segment : out.segments) {
    segment.offset = offset;
    offset += segment.size;
  }
  out.package_size = offset;
}

}  // namespace capsule
