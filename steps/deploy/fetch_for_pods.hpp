#pragma once

#include "capsule/verified_capsule.hpp"
#include "cluster/pod_template.hpp"
#include "log/progress.hpp"
#include "oci/store.hpp"
#include "order.hpp"

namespace deploy_step {

/// The capsule, verified; a cluster's pods fetch it by themselves.
struct FetchedForPods {
  capsule::VerifiedCapsule capsule;
  capsule::cluster::CapsuleSource source;
};

/// Reads the published capsule once, keeping nothing of it, and says where pods have it from. Errors of
/// image::verify_input and require_name.
FetchedForPods fetch_for_pods(const Order& order, capsule::oci::Store& store, capsule::log::Progress& progress);

}  // namespace deploy_step
