#pragma once

#include <optional>
#include <string>

#include "core/digest.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

/// A proof that was begun at a proof service and is not published yet: what a later try needs, so that the service
/// makes one proof of a run and no second one.
struct ProofInFlight {
  std::string service;   ///< where: an URL, or "embedded"
  std::string utid;      ///< under which it was asked for
  std::string proof_id;  ///< empty: the service has not said it yet
  friend bool operator==(const ProofInFlight&, const ProofInFlight&) = default;
};

/// They stand in status.proofsInFlight of the ProofedDeployment object, by the run record's digest. These change the
/// status alone. What is damaged there is as if it were not.
std::optional<ProofInFlight> proof_in_flight(const json::Value& object, const Digest& run_record);
/// The last 16 stay.
void set_proof_in_flight(json::Object& object, const Digest& run_record, const ProofInFlight& proof);
/// Changes nothing where there is none.
void end_proof_in_flight(json::Object& object, const Digest& run_record);

}  // namespace capsule::cluster
