#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attest/trust_policy.hpp"
#include "image/capsule_input.hpp"
#include "oci/store.hpp"
#include "publish.hpp"

namespace publish {

/// The signatures of a version index that came with the package and that the policy accepts, one for each key.
class IndexSignatures {
 public:
  /// Gathers them; what is none is left out with a warning. Errors after which the same call can succeed later.
  IndexSignatures(capsule::image::CapsuleInput& input, const capsule::attest::TrustPolicy& policy,
                  const capsule::oci::Descriptor& index, std::string_view name);

  struct One {
    std::string bundle;  ///< its text
    std::string key;     ///< the signer's id
  };
  [[nodiscard]] const std::vector<One>& all() const noexcept { return m_all; }
  /// Makes them referrers of the index, and says so in `out`.
  void attach(capsule::oci::Store& store, Published& out) const;

 private:
  [[nodiscard]] std::string signer_of(std::string_view text, std::span<const capsule::crypto::PublicKey> keys) const;
  [[nodiscard]] Signature attach_one(capsule::oci::Store& store, const std::string& text) const;
  const capsule::attest::TrustPolicy& m_policy;
  const capsule::oci::Descriptor& m_index;
  std::vector<One> m_all;
  bool m_has_unfit = false;
};

}  // namespace publish
