#pragma once

#include <optional>

#include "cluster/deployed_object.hpp"
#include "cluster/roll_out.hpp"
#include "core/error.hpp"
#include "deploy/run_ledger.hpp"
#include "kube/client.hpp"

namespace deploy_step {

/// What is behind an error of a deploy whose object is gone or on its way out: that somebody has deleted it meanwhile,
/// kind not_found, since a further try would make again what was to go. Nothing where it is there, where another deploy
/// has it, or where the cluster does not say.
std::optional<capsule::Error> deletion_behind(const capsule::Error& error, capsule::cluster::DeployedObject& object);

/// The object's status, and an Event, say that the run has failed. What keeps them from it is warned of: the failure is
/// what counts.
void note_failure(const capsule::Error& error, capsule::kube::Client& client, capsule::cluster::DeployedObject& object);

/// The same of a run that no retry helps: it is left alone for a while. What it ran in is as deploy wants it.
void note_failed_run(const capsule::Error& error, capsule::kube::Client& client,
                     capsule::cluster::DeployedObject& object, const capsule::deploy::RunRequest& run,
                     capsule::cluster::RollOut& roll_out);

}  // namespace deploy_step
