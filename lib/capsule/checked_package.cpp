#include "capsule/checked_package.hpp"

#include "capsule/content_judge.hpp"
#include "capsule/package_reader.hpp"
#include "crypto/hash.hpp"

namespace capsule {

CheckedPackage check_package(Source& package, const CheckOptions& options) {
  const HeadSwap swap{options.sign, options.output};
  ContentJudge judge{{options.limits, options.observer, ContentJudge::Signature::optional, {}}};
  auto read = read_package(package, judge,
                           {options.limits, options.segment_digests, options.progress, options.sign ? &swap : nullptr});
  auto head = judge.take_head();
  if (read.signature) head.signature = std::move(read.signature);
  auto capsule_digest = crypto::sha256(head.checksums_text);
  return {std::move(head), std::move(capsule_digest), std::move(read.package_digest), read.package_size,
          read.canonical,  std::move(read.segments)};
}

}  // namespace capsule
