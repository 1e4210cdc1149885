#pragma once

#include <functional>
#include <string>

#include "cluster/deployed_object.hpp"
#include "kube/client.hpp"
#include "oci/store.hpp"
#include "order.hpp"

namespace deploy_step {

/// Where a deploy is at work: what its parts share.
struct ClusterSite {
  const Order& order;
  capsule::kube::Client& client;
  std::string ns;
  capsule::oci::Store& store;  ///< the registry that the capsule is in
  capsule::cluster::DeployedObject& object;
  std::function<void()> keep_turn;  ///< to be called about once a second; Error busy: the turn is lost
};

}  // namespace deploy_step
