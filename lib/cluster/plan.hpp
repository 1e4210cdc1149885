#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cluster/receipt.hpp"
#include "core/time.hpp"
#include "deploy/run_ledger.hpp"

namespace capsule::cluster {

/// What a deployment should be.
struct PlanWish {
  deploy::RunWish run;  ///< of which capsule, with which parameters
  Time now;
  bool retry_failed = false;                               ///< also what failed to roll out a while ago
  std::optional<std::chrono::milliseconds> max_proof_age;  ///< of the trust policy
  bool renew_proofs = false;                               ///< whether an expired proof is worth another run
  std::string options_digest{};                            ///< as RollOutWish has it
};

/// What is to be done so that it is.
struct Plan {
  enum class Action {
    none,    ///< it is as it should be, or it has to wait
    deploy,  ///< what capsule-deploy does is missing
    prove,   ///< the run is done, and its proof is not there
    renew    ///< its proof has expired: another run, which is billed, and its proof
  };
  Action action = Action::none;
  std::string reason;  ///< one line
};
std::string_view name_of(Plan::Action action) noexcept;  ///< "none", "deploy", "prove", "renew"

/// Compares what is wanted with what is there (null: nothing): the ProofedDeployment object and what is beside it. What
/// a deploy would apply is what it has applied already, as long as its receipt says so (receipt.hpp); what the status
/// says is held against the runs that were begun (status_check.hpp). What we never set is others' to change, as the
/// number of pods is where an autoscaler sets it; what is in the Deployment beside that is Parts::added. Which nodes
/// are there now is not looked at. Pure.
Plan plan(const PlanWish& wish, const json::Value* object, const Parts& parts);

/// Whether the object's last run is the one on record as `record`, is proved or has to be, and ended longer ago than
/// `max_age`. Pure.
bool is_proof_expired(const json::Value& object, const Digest& record,
                      const std::optional<std::chrono::milliseconds>& max_age, Time now);

}  // namespace capsule::cluster
