#include "capsule/canonical_package.hpp"

#include "capsule/content_judge.hpp"
#include "capsule/package_reader.hpp"
#include "capsule/spool.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"

namespace capsule {

WrittenPackage write_canonical(Source& package, const Digest& capsule_digest, const fs::Path& target,
                               const CanonicalizeOptions& options) {
  Spool spool{target.has_parent_path() ? target.parent_path() : fs::Path{"."}};
  const auto is_wanted = [&](const PackageHead& head) {
    if (crypto::sha256(head.checksums_text) != capsule_digest)
      throw Error{ErrorKind::verification_failed, "the package changed: it holds another capsule than before"};
  };
  ContentJudge judge{{options.limits, &spool, ContentJudge::Signature::optional, is_wanted}};
  read_package(package, judge, {options.limits, SegmentDigests::no, options.progress, nullptr});
  auto head = judge.take_head();
  const PackageContent content{spool.sort(), std::move(head.manifest_text), std::move(head.signature)};
  fs::AtomicFile out{target};
  auto written = write_package(out, content, spool, {options.compression, nullptr});
  if (written.capsule_digest != capsule_digest)
    throw Error{ErrorKind::unavailable, "the files changed while they waited to be written: try again"};
  out.commit();
  return written;
}

}  // namespace capsule
