#pragma once

#include <memory>
#include <vector>

#include "anchor/anchor.hpp"
#include "oci/store.hpp"

namespace anchor_step {

struct Anchored {
  capsule::anchor::Receipt receipt;
  capsule::Digest digest;  ///< of the receipt's bytes
  enum class When { now, before };
  When when{};
};

using Anchors = std::vector<std::unique_ptr<capsule::anchor::Anchor>>;

/// Anchors `bundle` to each of `anchors` and attaches each receipt to `subject`, the version index. A receipt that is
/// attached already and holds is found, and nothing is anchored again.
std::vector<Anchored> anchor_bundle(capsule::oci::Store& store, const capsule::oci::Descriptor& subject,
                                    const capsule::Digest& bundle, const Anchors& anchors,
                                    const capsule::attest::TrustPolicy& trust);

}  // namespace anchor_step
