#include "capsule/package_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "archive/foreign_gzip.hpp"
#include "archive/gzip_member.hpp"
#include "archive/pipeline.hpp"
#include "archive/tar_reader.hpp"
#include "capsule/member_read.hpp"
#include "capsule/metered_source.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/fd.hpp"

namespace capsule {

namespace {

using archive::Pipeline;

constexpr std::size_t slots = 6;

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
