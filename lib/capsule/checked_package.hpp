#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "capsule/package_head.hpp"
#include "capsule/segment.hpp"
#include "capsule/verified_capsule.hpp"
#include "core/digest.hpp"
#include "core/stream.hpp"

namespace capsule {

/// A package that is whole, without a word about who signed it: for pack and sign. Not a VerifiedCapsule, and nothing
/// that needs one takes this.
struct CheckedPackage {
  PackageHead head;
  Digest capsule_digest;           ///< SHA-256 of checksum.sha256
  Digest package_digest;           ///< SHA-256 of the file
  std::uint64_t package_size = 0;  ///< bytes
  bool canonical = false;          ///< the bytes are those that pack and sign would write. Only then are there segments
  std::vector<Segment> segments;
};

struct CheckOptions {
  PackageLimits limits = {};
  SegmentDigests segment_digests = SegmentDigests::no;
  PackageObserver* observer = nullptr;
  log::Progress* progress = nullptr;

  /// If set: the signature.sig that the package is to have, asked when its head has been read, before the rest. All
  /// digests, sizes and segments are then those of the package with this head.
  std::function<Bytes(const PackageHead&)> sign = {};
  /// With `sign`: gets that package, all other segments unchanged. What it got must be thrown away on an error, and
  /// where the result is not canonical (write_canonical makes a canonical package first).
  Sink* output = nullptr;
};

/// Reads a package once, from front to back, as verify_package does, but for the signature: every file is checked
/// against checksum.sha256. Errors: invalid_input, verification_failed.
CheckedPackage check_package(Source& package, const CheckOptions& options = {});

}  // namespace capsule
