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

/// Whether the ReplicaSet makes pods of that template, as the Deployment's own controller looks at it. Pure.
bool makes_pods_of(const json::Value& replica_set, const json::Value& pod_template);

/// Which pods are of one Deployment as it is now: those of the ReplicaSet that it controls and that has its pod
/// template. One that is on its way out, after a restart or a change by hand, may have had something else in it.
class PoolMembers {
 public:
  /// Without its uid its name alone counts, and nothing is asked: for who only counts the pods. `pod_template`: of the
  /// Deployment as it was read; null: any counts.
  PoolMembers(kube::Client& client, std::string ns, Owner deployment, json::Value pod_template = {})
      : m_client(client),
        m_ns(std::move(ns)),
        m_deployment(std::move(deployment)),
        m_template(std::move(pod_template)) {}

  /// Looks at each ReplicaSet once; warns, once, of a pod that is none of the Deployment's.
  bool has(const json::Value& pod);

 private:
  enum class Kind { stranger, former, present };
  Kind kind_of(const Owner& replica_set);
  Kind look_at(const Owner& replica_set);
  bool is_present(const json::Value& replica_set);

  kube::Client& m_client;
  std::string m_ns;
  Owner m_deployment;
  json::Value m_template;
  std::map<std::string, Kind> m_replica_sets;  ///< by uid
  std::map<std::string, bool> m_warned;        ///< by name of the pod
};

}  // namespace capsule::cluster
