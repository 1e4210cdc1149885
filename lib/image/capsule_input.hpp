#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "image/published_package.hpp"
#include "image/working_store.hpp"
#include "oci/access.hpp"

namespace capsule::image {

/// A Sigstore bundle that came with a package and may hold a signature; it is not believed.
struct SignatureBundle {
  std::string where;                  ///< a file's name or a digest, for messages
  bool about_index = false;           ///< it ought to be about the version index, not about the package
  std::function<std::string()> read;  ///< at most max_signature_bytes; Errors
};

/// What CAPSULE names on a command line: a package file, `sha256:<package digest>` in the working store, or a reference
/// to something published. Can be read as often as one likes.
class CapsuleInput {
 public:
  CapsuleInput() = default;
  CapsuleInput(const CapsuleInput&) = delete;
  CapsuleInput& operator=(const CapsuleInput&) = delete;
  virtual ~CapsuleInput() = default;

  [[nodiscard]] virtual std::unique_ptr<Source> open() = 0;
  /// `size` bytes from `offset` on; fewer where the package is cut.
  [[nodiscard]] virtual std::unique_ptr<Source> open_part(std::uint64_t offset, std::uint64_t size) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;  ///< bytes
  /// The bundles that came with the package, at most 64: those first that a signer among `keys` has left.
  [[nodiscard]] virtual std::vector<SignatureBundle> signatures(std::span<const crypto::PublicKey> keys) = 0;
  /// Where those ought to be, for whoever misses one.
  [[nodiscard]] virtual std::string signatures_place() const = 0;
  /// The version index that says of itself that it is of this package, so that a signature over it is one over the
  /// package; nothing where none came along.
  [[nodiscard]] virtual std::optional<Digest> version_index(const ReadPackage& package) = 0;
  /// What sign left beside a package of which blobs it will be in a registry (`.oci.json`), not believed; nothing where
  /// there is none.
  [[nodiscard]] virtual std::optional<std::string> hints() { return std::nullopt; }
  /// Error verification_failed unless the verified capsule is the one that was named.
  virtual void check(const VerifiedCapsule& capsule) const = 0;
  /// Of a published one: the digest of its version index.
  [[nodiscard]] virtual std::optional<Digest> published_index() const { return std::nullopt; }
};

/// `access`: how a registry over HTTP is reached. Errors usage (no reference), not_found.
std::unique_ptr<CapsuleInput> locate_capsule(std::string_view text, const WorkingStore& store,
                                             std::shared_ptr<const oci::Access> access = {});
std::unique_ptr<CapsuleInput> package_file(fs::Path path);
/// `store` must outlive it.
std::unique_ptr<CapsuleInput> published_package(oci::Store& store, PublishedPackage published);

/// Verifies the capsule by the policy's role capsule: signed by as many of its keys as it wants (TrustedSignatures),
/// not revoked, and the one that was named.
VerifiedCapsule verify_input(CapsuleInput& input, const attest::TrustPolicy& policy, const VerifyOptions& options = {});

}  // namespace capsule::image
