#pragma once

#include <optional>
#include <vector>

#include "capsule/content_judge.hpp"
#include "capsule/segment.hpp"
#include "core/digest.hpp"
#include "core/stream.hpp"

namespace capsule {

/// Another head in the place of the package's: the package goes to `output` with it, all other bytes unchanged, and all
/// digests are of what goes there. Only where the package turns out to be canonical.
struct HeadSwap {
  /// The signature.sig that the package is to have; asked once, when the head has been read.
  std::function<Bytes(const PackageHead&)> sign;
  Sink* output = nullptr;  ///< null: only the digests are wanted
};

struct ReadOptions {
  PackageLimits limits = {};
  SegmentDigests segment_digests = SegmentDigests::no;
  log::Progress* progress = nullptr;
  const HeadSwap* swap = nullptr;
  unsigned workers = 0;  ///< threads; 0: as many as help
};

/// What a read of a package gives beside its content.
struct ReadResult {
  Digest package_digest;
  std::uint64_t package_size = 0;  ///< bytes
  std::optional<Bytes> signature;  ///< of the head that was swapped in
  bool canonical = false;          ///< the bytes are those that pack and sign would write
  std::vector<Segment> segments;   ///< of a canonical package
};

/// Reads a package once, front to back: members of ours are decoded, checked and hashed on all cores, the one gzip
/// stream of another tool by zlib; the tar stream goes to `judge`, which is finished too. Error invalid_input, and what
/// `judge` throws.
ReadResult read_package(Source& package, ContentJudge& judge, const ReadOptions& options);

}  // namespace capsule
