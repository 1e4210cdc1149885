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

bool makes_pods_of(const json::Value& replica_set, const json::Value& pod_template) {
  const auto* found = replica_set.at_pointer("/spec/template");
  auto made = found == nullptr ? json::Value{} : *found;
  auto* metadata = made.if_object() == nullptr ? nullptr : made.if_object()->find("metadata");
  auto* labels = metadata == nullptr || !metadata->is_object() ? nullptr : metadata->if_object()->find("labels");
  if (labels != nullptr && labels->is_object()) labels->if_object()->erase("pod-template-hash");
  return made == pod_template;
}

/// Somebody may have asked for a restart since the Deployment was read.
bool PoolMembers::is_present(const json::Value& replica_set) {
  if (m_template.is_null() || makes_pods_of(replica_set, m_template)) return true;
  const auto there = m_client.find({kube::resources::deployments, m_ns, m_deployment.name});
  const auto* now = there ? there->at_pointer("/spec/template") : nullptr;
  return now != nullptr && makes_pods_of(replica_set, *now);
}

PoolMembers::Kind PoolMembers::look_at(const Owner& replica_set) {
  const auto there = m_client.find({kube::resources::replica_sets, m_ns, replica_set.name});
  if (!there || text_at(*there, "/metadata/uid") != replica_set.uid) return Kind::stranger;
  const auto controller = controller_of(*there, "Deployment");
  if (!controller || controller->uid != m_deployment.uid) return Kind::stranger;
  return is_present(*there) ? Kind::present : Kind::former;
}

PoolMembers::Kind PoolMembers::kind_of(const Owner& replica_set) {
  const auto known = m_replica_sets.find(replica_set.uid);
  if (known != m_replica_sets.end()) return known->second;
  return m_replica_sets.emplace(replica_set.uid, look_at(replica_set)).first->second;
}

bool PoolMembers::has(const json::Value& pod) {
  const auto set = replica_set_of(pod);
  auto kind = set ? Kind::present : Kind::stranger;
  if (m_deployment.uid.empty())
    kind = is_named_after(pod, m_deployment.name) ? Kind::present : Kind::stranger;
  else if (set)
    kind = kind_of(*set);
  if (kind != Kind::stranger) return kind == Kind::present;
  const auto name = text_at(pod, "/metadata/name");
  if (m_warned.emplace(name, true).second)
    log::warning(fmt::format("pod {} has the labels of this deployment's pods, and is none of them: it is left alone",
                             printable(name)));
  return false;
}

}  // namespace capsule::cluster
