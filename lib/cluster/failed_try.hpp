#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

// What of a capsule has failed, a roll-out or a run, is left alone for a while, so that whoever looks every few minutes
// does not fill the cluster with failures: status.rollout of the ProofedDeployment object {digest, count, retryAfter,
// run: the one that has failed; absent for a roll-out}. So is a proof that failed: status.failedProof {runRecord,
// count, retryAfter}, which a new run, and so another capsule, is none of.

/// The next status.rollout after a failure of `kind`: an hour, doubled with each further failure up to longest_pause;
/// where a retry helps, five minutes, up to an hour. A try in the pause of the one before counts with that one, and
/// does not shorten it. `capsule`: its digest.
json::Object next_failure(const json::Value& object, const std::string& capsule, ErrorKind kind,
                          std::string_view run_id, Time now);

/// Whether it is this capsule that has failed, and this run where one has. `run_id`: empty where none was begun.
bool has_failed(const json::Value& object, const Digest& capsule, std::string_view run_id);

/// Until when it is left alone; nothing where it is not.
std::optional<std::string> left_alone_until(const json::Value& object, Time now);

/// It has come up, or run: takes the condition RolloutFailed back, where there is one, of that capsule alone if one is
/// named.
void clear_failed_try(json::Object& object, const std::optional<Digest>& of = {});

/// The proof of that run has failed: the status says why, and when the next one may be, counted as above. Changes
/// nothing where the last run is another one, or is proved.
void set_failed_proof(json::Object& object, const Digest& run_record, const Error& error, Time now);
bool has_failed_proof(const json::Value& object, const Digest& run_record);
/// As left_alone_until().
std::optional<std::string> proof_left_alone_until(const json::Value& object, Time now);
/// It is made: what set_failed_proof() has said, if it has, is taken back.
void clear_failed_proof(json::Object& object, const Digest& run_record);

}  // namespace capsule::cluster
