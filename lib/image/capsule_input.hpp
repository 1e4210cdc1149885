#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "image/published_package.hpp"
#include "image/working_store.hpp"
#include "oci/access.hpp"

namespace capsule::image {

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
  /// What stands beside the package under that suffix (working_store.hpp), not believed; nothing if there is none.
  [[nodiscard]] virtual std::optional<std::string> sibling(std::string_view suffix) = 0;
  /// Error verification_failed unless the verified capsule is the one that was named.
  virtual void check(const VerifiedCapsule& capsule) const = 0;
};

/// `access`: how a registry over HTTP is reached. Errors usage (no reference), not_found.
std::unique_ptr<CapsuleInput> locate_capsule(std::string_view text, const WorkingStore& store,
                                             std::shared_ptr<const oci::Access> access = {});
std::unique_ptr<CapsuleInput> package_file(fs::Path path);
/// `store` must outlive it.
std::unique_ptr<CapsuleInput> published_package(oci::Store& store, PublishedPackage published);

/// Verifies the capsule by the policy's role capsule: signed by one of its keys, not revoked, and the one that was
/// named. A package holds one signature: a policy that wants more of them is not met.
VerifiedCapsule verify_input(CapsuleInput& input, const attest::TrustPolicy& policy, const VerifyOptions& options = {});

}  // namespace capsule::image
