#pragma once

#include <optional>

#include "image/capsule_input.hpp"
#include "image/published_form.hpp"
#include "log/progress.hpp"

namespace capsule::image {

/// A verified capsule and what its OCI form is made of.
struct VerifiedForm {
  VerifiedCapsule capsule;
  std::optional<PackageFacts> facts;  ///< of a canonical package; others have no form
};

/// verify_input, and everything for published_form, in the same read; with SegmentDigests::no all but the digests of
/// the segments. `options` names no observer: there is one already.
VerifiedForm verify_form(CapsuleInput& input, const attest::TrustPolicy& policy, VerifyOptions options);

/// Verifies a published version as a whole: the package by the policy, and that the index, with its image, is the one
/// which that package makes. So an image that somebody put beside a good package is found out: for whoever runs the
/// image. Error verification_failed.
VerifiedForm verify_published(oci::Store& store, const PublishedPackage& published, const attest::TrustPolicy& policy,
                              log::Progress* progress = nullptr);

}  // namespace capsule::image
