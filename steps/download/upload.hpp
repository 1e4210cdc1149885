#pragma once

#include <functional>
#include <optional>

#include "attest/trust_policy.hpp"
#include "core/digest.hpp"
#include "image/capsule_input.hpp"
#include "log/progress.hpp"
#include "oci/reference.hpp"

namespace download {

struct UploadRequest {
  capsule::image::CapsuleInput& input;
  capsule::oci::RegistryLocation registry;
  /// What the package must be. Another is Error verification_failed, and no manifest is put.
  std::optional<capsule::Digest> wanted;
  /// Whose signatures of the version index come along; asked once the package has been read. Nothing: none do.
  std::function<std::optional<capsule::attest::TrustPolicy>()> trust;
  capsule::log::Progress& progress;
};

struct Uploaded {
  capsule::oci::Reference reference;  ///< by the digest of the version index, without a tag
  capsule::Digest package_digest;     ///< of what is in the registry
  std::uint64_t bytes_written = 0;    ///< of blobs that were not there
  bool already_there = false;         ///< the version index was
};

/// Puts a package that nobody has judged into the repository `<registry>/<name>`, in the form in which publish puts a
/// verified one, but without a tag: its blobs, the manifests, the version index, and of the signatures that came along
/// those of the trusted keys. Whoever reads it there verifies it; nobody finds it who was not told its digest. The
/// package must be whole (check_package) before the first manifest is put; what the registry has is not sent again, and
/// a transfer that is cut, also by a kill, goes on. A package of another tool goes in its canonical form.
/// Errors: those of check_package and of the registry.
Uploaded upload_untagged(const UploadRequest& request);

}  // namespace download
