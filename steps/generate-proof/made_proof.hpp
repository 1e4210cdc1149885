#pragma once

#include <string>
#include <vector>

#include "core/digest.hpp"
#include "proof/proof_service.hpp"

namespace generate_proof {

/// The proof_id of a proof that the service has for that hash and our UTID, made now where there is none: as a hook
/// asks for it, for one that cannot reach the service. Errors of http::expect_success; invalid_input for an answer that
/// is none.
std::string made_proof(capsule::proof::ProofService& service, const capsule::Digest& proof_hash,
                       const std::vector<std::string>& types);

}  // namespace generate_proof
