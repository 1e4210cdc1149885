#include "capsule/canonical_package.hpp"

#include <numeric>

#include "capsule/content_judge.hpp"
#include "capsule/package_reader.hpp"
#include "capsule/spool.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"

namespace capsule {

namespace {

std::uint64_t size_of(const PackageContent& content) {
  return std::accumulate(content.files.begin(), content.files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& file) { return sum + file.size; });
}

}  // namespace

WrittenPackage write_canonical(Source& package, const Digest& capsule_digest, const fs::Path& target,
                               const CanonicalizeOptions& options) {
  Spool spool{target.has_parent_path() ? target.parent_path() : fs::Path{"."}};
  const auto is_wanted = [&](const PackageHead& head) {
    if (crypto::sha256(head.checksums_text) != capsule_digest)
      throw Error{ErrorKind::verification_failed, "the package changed: it holds another capsule than before"};
  };
  ContentJudge judge{{options.limits, &spool, ContentJudge::Signature::optional, is_wanted}};
  if (options.progress != nullptr) options.progress->begin("reading", 0);
  read_package(package, judge, {options.limits, SegmentDigests::no, options.progress, nullptr});
  auto head = judge.take_head();
  const PackageContent content{spool.sort(), std::move(head.manifest_text), std::move(head.signature)};
  fs::AtomicFile out{target};
  if (options.progress != nullptr) options.progress->begin("writing", size_of(content));
  auto written = write_package(out, content, spool, {options.compression, options.progress});
  if (options.progress != nullptr) options.progress->end();
  if (written.capsule_digest != capsule_digest)
    throw Error{ErrorKind::unavailable, "the files changed while they waited to be written: try again"};
  out.commit();
  return written;
}

}  // namespace capsule
