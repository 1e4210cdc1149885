#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attest/trust_policy.hpp"
#include "image/capsule_input.hpp"
#include "oci/store.hpp"

namespace capsule::image {

/// What became of the signatures of a version index: attached if any of several was.
enum class Signature { attached, already_there, absent, unfit };
std::string_view name_of(Signature signature) noexcept;

struct AttachedSignatures {
  Signature state = Signature::absent;
  std::vector<std::string> signed_by;  ///< ids of the keys whose signature of the index is attached now
};

/// The signatures of a version index that came with the package and that the policy accepts, one for each key.
class IndexSignatures {
 public:
  /// Gathers them; what is none is left out with a warning. Errors after which the same call can succeed later.
  IndexSignatures(CapsuleInput& input, const attest::TrustPolicy& policy, const oci::Descriptor& index,
                  std::string_view name);

  struct One {
    std::string bundle;  ///< its text
    std::string key;     ///< the signer's id
  };
  [[nodiscard]] const std::vector<One>& all() const noexcept { return m_all; }
  /// Makes them referrers of the index.
  [[nodiscard]] AttachedSignatures attach(oci::Store& store) const;

 private:
  [[nodiscard]] std::string signer_of(std::string_view text, std::span<const crypto::PublicKey> keys) const;
  [[nodiscard]] Signature attach_one(oci::Store& store, const std::string& text) const;
  const attest::TrustPolicy& m_policy;
  const oci::Descriptor& m_index;
  std::vector<One> m_all;
  bool m_has_unfit = false;
};

}  // namespace capsule::image
