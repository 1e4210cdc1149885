#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attest/quorum.hpp"
#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "core/error.hpp"
#include "image/capsule_input.hpp"

namespace capsule::image {

/// Judges who signed a capsule by the policy's role capsule, k of n. What counts is a different key with a signature
/// that holds: signature.sig over checksum.sha256, or one in a bundle that came along, over the package's digest or
/// that of its version index. Bundles are looked at only where signature.sig alone does not suffice; one that fails
/// hides no other. Too few is Error verification_failed, before the package is read where no bundle speaks of enough.
class TrustedSignatures final : public SignatureJudge {
 public:
  TrustedSignatures(CapsuleInput& input, const attest::TrustPolicy& policy) : m_input(input), m_policy(policy) {}
  void judge_head(const PackageHead& head) override;
  std::vector<crypto::PublicKey> judge(const ReadPackage& package) override;

 private:
  /// A signature that holds over something: whether over this package is known at its end.
  struct Claim {
    std::string where;
    bool about_index = false;
    crypto::PublicKey key;
    std::vector<Digest> subjects;
  };
  /// Opens all bundles; says why one that does not count does not.
  std::optional<Error> collect(std::span<const crypto::PublicKey> keys);
  void count_claims(const Digest& package, const std::optional<Digest>& index);

  CapsuleInput& m_input;
  const attest::TrustPolicy& m_policy;
  std::optional<attest::Quorum> m_quorum;
  std::vector<Claim> m_claims;
  std::string m_what;  ///< "demo 1.0.0"
};

}  // namespace capsule::image
