#pragma once

#include <string>
#include <vector>

#include "attest/trust_policy.hpp"
#include "image/capsule_input.hpp"
#include "image/index_signatures.hpp"
#include "log/progress.hpp"
#include "oci/reference.hpp"

namespace publish {

struct Request {
  capsule::image::CapsuleInput& input;
  const capsule::attest::TrustPolicy& policy;
  capsule::oci::RegistryLocation registry;
  capsule::log::Progress& progress;
};

struct Published {
  std::string name;
  std::string version;
  capsule::Digest capsule_digest;
  capsule::Digest package_digest;  ///< of what is in the registry
  capsule::Digest index;
  capsule::Digest package_manifest;
  capsule::Digest image_manifest;
  std::size_t blobs_written = 0;
  std::uint64_t bytes_written = 0;
  bool already_published = false;                      ///< the tag was there before
  capsule::image::AttachedSignatures signatures = {};  ///< of the index, that came along
};

/// Verifies the capsule and puts it into the registry under its name and version: the package's segments, the runnable
/// image, the index of both, then the tag, and the signatures of the index that came with the package and are good.
/// What is there already is not written again, unless its bytes are not those that its digest names. Another capsule
/// under the same version is Error conflict; the same capsule in another package that the policy accepts is already
/// done, and is what is returned. A package of another tool is published in its canonical form, its signature
/// unchanged. Errors: those of verify_input, invalid_input (capsule.tarball is no image), conflict, busy.
Published publish(const Request& request);

}  // namespace publish
