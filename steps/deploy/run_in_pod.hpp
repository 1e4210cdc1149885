#pragma once

#include <string>

#include "capsule/verified_capsule.hpp"
#include "cluster/capability.hpp"
#include "cluster/roll_out.hpp"
#include "cluster_ledger.hpp"
#include "cluster_site.hpp"
#include "deploy/run_ledger.hpp"

namespace deploy_step {

/// What a run on a cluster is made of.
struct RunInPod {
  const ClusterSite& site;
  const capsule::VerifiedCapsule& capsule;
  const capsule::cluster::ClusterCheck& check;
  capsule::cluster::RollOut& roll_out;
  ClusterLedger& ledger;
  const capsule::deploy::RunWish& wish;
};

/// Makes the run that the ledger has begun, in a pod that waited for it, and attaches its record to the version index;
/// ledger, object and an Event say so, and the pod is replaced. The entry has the record then. Gives how the run was
/// started: "warm" or "cold". Errors: those of the run, which the object's status then has, and of bring_up().
std::string make_run_in_pod(const RunInPod& run, capsule::deploy::LedgerEntry& entry);

/// The run is on record: ledger and object say so.
void note_run(const RunInPod& run, const capsule::deploy::LedgerEntry& entry, const std::string& start);

}  // namespace deploy_step
