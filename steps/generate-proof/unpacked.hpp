#pragma once

#include <memory>
#include <string>

#include "attest/trust_policy.hpp"
#include "capsule/extractor.hpp"
#include "fs/temporary.hpp"
#include "image/published_package.hpp"
#include "log/progress.hpp"
#include "oci/store.hpp"
#include "proof/facts_collector.hpp"

namespace generate_proof {

/// A published capsule, verified on its way into a private folder of its own, which goes with this. What is checked
/// later (the facts) was taken from the verified bytes, not from the folder that the hook sees.
struct Unpacked {
  capsule::image::PublishedPackage published;
  capsule::VerifiedCapsule capsule;
  capsule::proof::CapsuleFacts facts;
  std::string hook;  ///< path of generate_proof.py in the capsule; empty: it has none
  std::unique_ptr<capsule::fs::TemporaryFolder> temporary;
  std::unique_ptr<capsule::Extractor> extractor;

  [[nodiscard]] capsule::fs::Path root() const { return extractor->root(); }  ///< the files
  /// For what the hook reads and writes.
  [[nodiscard]] const capsule::fs::Path& folder() const noexcept { return temporary->path(); }
};

/// Errors of verify_package, image::read_published and FactsCollector::finish; verification_failed for what is revoked.
Unpacked unpack(capsule::oci::Store& store, const capsule::Digest& version_index,
                const capsule::attest::TrustPolicy& trust, const capsule::fs::Path& state,
                capsule::log::Progress& progress);

}  // namespace generate_proof
