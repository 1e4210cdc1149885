#pragma once

#include <map>
#include <optional>
#include <string>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "proof/claims.hpp"

namespace capsule::proof {

/// What a verified capsule says about its proof: all that a check of evidence needs of it.
struct CapsuleFacts {
  std::string name;
  std::string version;
  Digest capsule_digest;
  ProofPolicy policy;
  std::string claims_path;                   ///< empty: the capsule makes no claims
  Claims claims;                             ///< empty without claims.json
  std::optional<Digest> claims_digest;       ///< SHA-256 of claims.json
  std::map<std::string, std::string> files;  ///< the references that sim_alignment claims name, by path

  /// The claims' digest; Error verification_failed where the capsule makes no claims.
  [[nodiscard]] const Digest& require_claims() const;
};

}  // namespace capsule::proof
