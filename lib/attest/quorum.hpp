#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "attest/trust_policy.hpp"
#include "crypto/key.hpp"

namespace capsule::attest {

/// Counts who signed one thing against who must have, k of n. Different keys count, not signatures: the same key twice,
/// whatever form its signatures have, is one.
class Quorum {
 public:
  explicit Quorum(Signers signers) : m_signers(std::move(signers)) {}

  /// The keys that count.
  [[nodiscard]] const std::vector<crypto::PublicKey>& keys() const noexcept { return m_signers.keys; }
  [[nodiscard]] const std::vector<std::string>& withdrawn() const noexcept { return m_signers.withdrawn; }
  /// One that signed; one that is not among `keys` changes nothing.
  void count(const crypto::PublicKey& key);
  /// Why something did not count: said by require(), the last one.
  void note(std::string reason) { m_reason = std::move(reason); }

  [[nodiscard]] unsigned wanted() const noexcept { return m_signers.threshold; }
  [[nodiscard]] bool is_met() const noexcept { return m_signed_by.size() >= m_signers.threshold; }
  /// In the order in which they were counted.
  [[nodiscard]] const std::vector<crypto::PublicKey>& signed_by() const noexcept { return m_signed_by; }
  /// Error verification_failed, unless it is met: how many of how many signed `what`, who is missing, who counts no
  /// longer, and the reason.
  void require(std::string_view what) const;

 private:
  Signers m_signers;
  std::vector<crypto::PublicKey> m_signed_by;
  std::string m_reason;
};

}  // namespace capsule::attest
