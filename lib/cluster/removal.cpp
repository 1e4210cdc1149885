#include "cluster/removal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <optional>
#include <set>

#include "cluster/deployed_object.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/ownership.hpp"
#include "cluster/pod_owner.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

/// Waits until no such thing that counts is left.
void wait_until_gone(
    kube::Client& client, const kube::Resource& resource, const std::string& ns, const kube::WatchOptions& options,
    const std::function<bool(const json::Value&)>& counts = [](const json::Value&) { return true; }) {
  std::set<std::string> left;
  const auto end = client.watch(resource, ns, options, [&](const kube::Event& event) {
    if (event.kind == kube::EventKind::listed) {
      left.clear();
      for (const auto& item : event.list.items)
        if (counts(item)) left.insert(text_at(item, "/metadata/name"));
    } else if (event.kind == kube::EventKind::deleted) {
      left.erase(text_at(event.object, "/metadata/name"));
    } else if (counts(event.object)) {
      left.insert(text_at(event.object, "/metadata/name"));
    }
    return left.empty() ? kube::Flow::stop : kube::Flow::go_on;
  });
  if (end == kube::WatchEnd::stopped) return;
  throw Error{
      ErrorKind::timed_out,
      fmt::format(
          "{} {} in namespace {} are not gone yet: see their finalizers, and of pods whether their nodes are Ready",
          kube::text_of(resource), fmt::join(left, ", "), ns)};
}

bool is_deployed(const json::Value& object) {
  const auto* all = object.at_pointer("/metadata/annotations");
  return is_ours(object) ||
         (all != nullptr && all->if_object() != nullptr && all->if_object()->find(annotation::runs) != nullptr);
}

/// Nothing where there is no such object; Error conflict where another program's has that name.
std::optional<std::string> uid_of_ours(kube::Client& client, const kube::Name& name) {
  const auto found = find_deployed(client, name);
  if (!found) return std::nullopt;
  if (is_deployed(*found)) return text_at(*found, "/metadata/uid");
  throw Error{ErrorKind::conflict,
              fmt::format("the {} is none that capsule-deploy made (it has neither label "
                          "app.kubernetes.io/part-of=capsule-loop nor annotation {}) and stays: if it is to go, use "
                          "kubectl delete",
                          kube::text_of(name), annotation::runs)};
}

/// What an object left that was deleted without what it owned (kubectl delete --cascade=orphan).
void remove_orphans(kube::Client& client, const kube::Name& object) {
  for (const auto& one : {deployment_of(object), trust_config_of(object), disruption_budget_of(object)}) {
    const auto found = client.find(one);
    if (found && is_ours(*found) && is_orphan(*found)) client.remove(one, {.uid = text_at(*found, "/metadata/uid")});
  }
}

}  // namespace

void remove_idle_lease(kube::Client& client, const std::string& ns, const std::string& name) {
  const auto lease_name = Turn::lease_name(ns, name);
  const auto found = client.find(lease_name);
  if (!found) return;
  const auto lease = kube::read_lease(*found);
  if (!lease.holder.empty() || !lease.owners.empty()) return;
  try {
    client.remove(lease_name, {.resource_version = lease.resource_version});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
  }
}

void remove_deployment(kube::Client& client, const std::string& ns, const std::string& name,
                       std::chrono::milliseconds patience, const std::string& holder) {
  const kube::Name object{proofed_deployments, ns, name};
  static_cast<void>(uid_of_ours(client, object));  // before a lease is made, and waited for
  {
    Turn turn{client, ns, name, std::nullopt, patience, holder};
    const auto on_wait = [&] { turn.keep(); };
    const auto uid = uid_of_ours(client, object);
    if (uid && client.remove(object, {.uid = *uid}))
      wait_until_gone(client, proofed_deployments, ns,
                      {.selection = {.fields = "metadata.name=" + name}, .time_limit = patience, .on_wait = on_wait});
    remove_orphans(client, object);
    const auto pods = fmt::format("app={},{}", name, label::pod_template);
    wait_until_gone(client, kube::resources::pods, ns,
                    {.selection = {.labels = pods}, .time_limit = patience, .on_wait = on_wait},
                    [&](const json::Value& pod) { return is_named_after(pod, deployment_name(name)); });
  }
  remove_idle_lease(client, ns, name);
}

}  // namespace capsule::cluster
