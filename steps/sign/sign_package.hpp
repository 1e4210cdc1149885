#pragma once

#include <string>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "crypto/key.hpp"
#include "fs/fd.hpp"
#include "log/progress.hpp"

namespace sign {

/// What becomes of a signature.sig that is there and is not this key's.
enum class Others { keep, replace };

/// What a signed package is, and which of its four files this call wrote.
struct SignedPackage {
  capsule::Manifest manifest;
  capsule::Digest capsule_digest;
  capsule::Digest package_digest;
  capsule::Digest index_digest;  ///< of the OCI version index that publish will write
  bool is_further = false;       ///< signature.sig is another key's: this one signed in bundles alone
  bool package_written = false;
  bool bundle_written = false;  ///< `<package>.sigstore.json`, a further signer's `<package>.<16 hex>.sigstore.json`
  bool index_bundle_written = false;  ///< `<package>.oci.sigstore.json`, `<package>.<16 hex>.oci.sigstore.json`
  bool hints_written = false;         ///< `<package>.oci.json`

  [[nodiscard]] bool changed() const noexcept {
    return package_written || bundle_written || index_bundle_written || hints_written;
  }
};

/// Puts `signer`'s signature.sig into a package, in place and atomically, and writes the Sigstore bundles beside it:
/// for the package, and for its OCI version index. Every file is checked against checksum.sha256 in the one read that
/// gives all digests. What is there already and verifies under this key is kept, so that a second call changes nothing;
/// a package of another tool becomes the canonical one. Where signature.sig is another key's, the package stays as it
/// is, and this signer's bundles go beside those of the others (image/signature_files.hpp); with Others::replace, and
/// where the bundle beside it says that signature.sig was this key's, it is made again. Errors: what check_package
/// throws; busy where another process signs in this folder.
SignedPackage sign_package(const capsule::fs::Path& package, const capsule::crypto::Signer& signer,
                           capsule::log::Progress& progress, Others others = Others::keep);

}  // namespace sign
