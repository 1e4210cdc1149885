#include "cluster/removal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "cluster/deployed_object.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/turn.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::cluster {

namespace {

/// Waits until no such thing is left.
void wait_until_gone(kube::Client& client, const kube::Resource& resource, const std::string& ns,
                     const kube::WatchOptions& options) {
  std::set<std::string> left;
  const auto end = client.watch(resource, ns, options, [&](const kube::Event& event) {
    if (event.kind == kube::EventKind::listed) {
      left.clear();
      for (const auto& item : event.list.items) left.insert(text_at(item, "/metadata/name"));
    } else if (event.kind == kube::EventKind::deleted) {
      left.erase(text_at(event.object, "/metadata/name"));
    } else {
      left.insert(text_at(event.object, "/metadata/name"));
    }
    return left.empty() ? kube::Flow::stop : kube::Flow::go_on;
  });
  if (end == kube::WatchEnd::stopped) return;
  throw Error{ErrorKind::timed_out, fmt::format("{} {} in namespace {} are not gone yet: see their finalizers",
                                                kube::text_of(resource), fmt::join(left, ", "), ns)};
}

}  // namespace

void remove_deployment(kube::Client& client, const std::string& ns, const std::string& name,
                       std::chrono::milliseconds patience) {
  {
    // No digest is waited for: whoever is at work is let end.
    Turn turn{client, ns, name, crypto::sha256("delete " + name), patience};
    const kube::Name object{proofed_deployments, ns, name};
    const auto on_wait = [&] { turn.keep(); };
    if (client.remove(object))
      wait_until_gone(client, proofed_deployments, ns,
                      {.selection = {.fields = "metadata.name=" + name}, .time_limit = patience, .on_wait = on_wait});
    const auto pods = fmt::format("app={},{}", name, label::pod_template);
    wait_until_gone(client, kube::resources::pods, ns,
                    {.selection = {.labels = pods}, .time_limit = patience, .on_wait = on_wait});
  }
  client.remove(Turn::lease_name(ns, name));
}

}  // namespace capsule::cluster
