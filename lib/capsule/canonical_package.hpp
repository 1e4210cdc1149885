#pragma once

#include "capsule/package_head.hpp"
#include "capsule/package_writer.hpp"
#include "core/digest.hpp"
#include "core/stream.hpp"
#include "fs/fd.hpp"
#include "log/progress.hpp"

namespace capsule {

struct CanonicalizeOptions {
  PackageLimits limits = {};
  Compression compression = Compression::store;
  log::Progress* progress = nullptr;
};

/// Writes the canonical package of a capsule from a package of another tool, its checksum.sha256 and signature.sig
/// unchanged, so that the signature stays good. Reads `package` to its end: it must hold the capsule `capsule_digest`
/// (what verify_package or check_package found in it), else Error verification_failed. The files wait in a nameless
/// file beside `target`, which appears whole or not at all; what is there is replaced.
WrittenPackage write_canonical(Source& package, const Digest& capsule_digest, const fs::Path& target,
                               const CanonicalizeOptions& options = {});

}  // namespace capsule
