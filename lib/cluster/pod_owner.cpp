#include "cluster/pod_owner.hpp"

#include <fmt/format.h>

#include "cluster/node.hpp"
#include "core/bytes.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

std::optional<Owner> controller_of(const json::Value& object, std::string_view kind) {
  for (const auto& one : array_at(object, "/metadata/ownerReferences")) {
    const auto* controls = one.at_pointer("/controller");
    if (controls == nullptr || !(*controls == json::Value{true}) || text_at(one, "/kind") != kind ||
        !text_at(one, "/apiVersion").starts_with("apps/"))
      continue;
    return Owner{text_at(one, "/name"), text_at(one, "/uid")};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Owner> replica_set_of(const json::Value& pod) {
  return controller_of(pod, "ReplicaSet");
}

bool is_named_after(const json::Value& pod, const std::string& deployment) {
  const auto set = replica_set_of(pod);
  return set && set->name.starts_with(deployment + "-");
}

bool PoolMembers::is_of_deployment(const Owner& replica_set) {
  const auto known = m_replica_sets.find(replica_set.uid);
  if (known != m_replica_sets.end()) return known->second;
  const auto there = m_client.find({kube::resources::replica_sets, m_ns, replica_set.name});
  const auto controller =
      there && text_at(*there, "/metadata/uid") == replica_set.uid ? controller_of(*there, "Deployment") : std::nullopt;
  const bool is_its = controller && controller->uid == m_deployment.uid;
  m_replica_sets.emplace(replica_set.uid, is_its);
  return is_its;
}

bool PoolMembers::has(const json::Value& pod) {
  const auto set = replica_set_of(pod);
  const bool is_its = m_deployment.uid.empty() ? is_named_after(pod, m_deployment.name) : set && is_of_deployment(*set);
  if (is_its) return true;
  const auto name = text_at(pod, "/metadata/name");
  if (m_warned.emplace(name, true).second)
    log::warning(fmt::format("pod {} has the labels of this deployment's pods, and is none of them: it is left alone",
                             printable(name)));
  return false;
}

}  // namespace capsule::cluster
