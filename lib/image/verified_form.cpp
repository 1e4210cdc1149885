#include "image/verified_form.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "image/form_observer.hpp"

namespace capsule::image {

VerifiedForm verify_form(CapsuleInput& input, const attest::TrustPolicy& policy, VerifyOptions options) {
  FormObserver observer;
  options.observer = &observer;
  auto capsule = verify_input(input, policy, options);
  VerifiedForm out{std::move(capsule), std::nullopt};
  const auto& checked = out.capsule;
  if (!checked.is_canonical()) return out;
  out.facts =
      observer.facts(checked.manifest(), checked.capsule_digest(), checked.package_digest(), checked.segments());
  return out;
}

VerifiedForm verify_published(oci::Store& store, const PublishedPackage& published, const attest::TrustPolicy& policy,
                              log::Progress* progress) {
  const auto input = published_package(store, published);
  auto out = verify_form(*input, policy, {.segment_digests = SegmentDigests::yes, .progress = progress});
  const auto fail = [&](std::string_view reason) {
    throw Error{ErrorKind::verification_failed, fmt::format("{}: {}", published.index.digest.text(), reason)};
  };
  if (!out.facts) fail("the package that was published is not canonical");
  if (published_form(*out.facts).index.descriptor.digest != published.index.digest) {
    fail("its image or index is not the one that its package makes");
  }
  return out;
}

}  // namespace capsule::image
