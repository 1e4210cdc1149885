#pragma once

#include <memory>

#include "attest/trust_policy.hpp"
#include "capsule/extractor.hpp"
#include "fs/temporary.hpp"
#include "image/capsule_input.hpp"
#include "log/progress.hpp"
#include "proof/facts_collector.hpp"

namespace capsule::replay {

/// A capsule, verified on its way into a private folder of its own, which goes with this. What is checked later (the
/// facts) was taken from the verified bytes, not from the folder that the capsule's code sees.
struct Unpacked {
  VerifiedCapsule capsule;
  proof::CapsuleFacts facts;
  std::unique_ptr<fs::TemporaryFolder> temporary;
  std::unique_ptr<Extractor> extractor;

  [[nodiscard]] fs::Path root() const { return extractor->root(); }  ///< the files
  /// For what the capsule's code reads and writes.
  [[nodiscard]] const fs::Path& folder() const noexcept { return temporary->path(); }
};

/// `parent` is made if it is missing; what a killed call left there goes. Errors of image::verify_input and
/// FactsCollector::finish.
Unpacked unpack(image::CapsuleInput& input, const attest::TrustPolicy& trust, const fs::Path& parent,
                log::Progress& progress);

}  // namespace capsule::replay
