#include "proof/capsule_facts.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::proof {

const Digest& CapsuleFacts::require_claims() const {
  if (!claims_digest) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("{} {} makes no claims: there is no proof-hooks/claims.json in it", name, version)};
  }
  return *claims_digest;
}

}  // namespace capsule::proof
