#pragma once

#include <map>
#include <optional>
#include <string>

#include "cluster/objects.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

// Anybody who may make pods can give them our labels: what counts is which controller they are of.

/// The ReplicaSet that controls a pod; nothing where none does. Pure.
std::optional<Owner> replica_set_of(const json::Value& pod);
/// Whether that ReplicaSet is one of that Deployment by its name: for who may look at pods alone. Pure.
bool is_named_after(const json::Value& pod, const std::string& deployment);

/// Which pods are of one Deployment: those of a ReplicaSet that it controls.
class PoolMembers {
 public:
  /// Without its uid its name alone counts, and nothing is asked: for who only counts the pods.
  PoolMembers(kube::Client& client, std::string ns, Owner deployment)
      : m_client(client), m_ns(std::move(ns)), m_deployment(std::move(deployment)) {}

  /// Looks at each ReplicaSet once; warns, once, of a pod that is none.
  bool has(const json::Value& pod);

 private:
  bool is_of_deployment(const Owner& replica_set);

  kube::Client& m_client;
  std::string m_ns;
  Owner m_deployment;
  std::map<std::string, bool> m_replica_sets;  ///< by uid
  std::map<std::string, bool> m_warned;        ///< by name of the pod
};

}  // namespace capsule::cluster
