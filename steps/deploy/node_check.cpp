#include "node_check.hpp"

#include <algorithm>

#include "cluster/placement.hpp"
#include "core/error.hpp"
#include "log/log.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

bool wants_gpu(const Manifest& manifest) {
  return std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                     [](const Requirement& one) { return one.kind == Requirement::Kind::gpu && one.amount > 0; });
}

std::vector<cluster::Node> nodes_of(kube::Client& client) {
  std::vector<cluster::Node> out;
  for (const auto& node : client.list(kube::resources::nodes, {}).items)
    out.push_back(cluster::node_from(json::Cursor{node, "a node of the cluster"}));
  return out;
}

/// What runs on the nodes already; nothing where we may not see it.
std::optional<cluster::Requested> requested(const ClusterSite& site, const std::string& capsule) {
  try {
    // A large cluster has very many pods.
    cluster::Requested sum;
    site.client.for_each(
        kube::resources::pods, {}, {.fields = "status.phase!=Succeeded,status.phase!=Failed"},
        [&](const json::Value& pod) { cluster::add_requested(pod, site.ns, capsule, sum); }, site.keep_turn);
    return sum;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::denied) throw;
    return std::nullopt;
  }
}

}  // namespace

cluster::ClusterCheck check_nodes(const ClusterSite& site, const Manifest& manifest) {
  const auto& options = site.order.options;
  const auto nodes = nodes_of(site.client);
  std::optional<cluster::Requested> taken;
  std::optional<cluster::GpuClaim> claim;
  if (wants_gpu(manifest)) {
    if (options.gpu_claim.empty())
      taken = requested(site, manifest.name);
    else
      claim = cluster::find_gpu_claim(site.client, site.ns, options.gpu_claim);
  }
  cluster::PodDemand demand{.manifest = manifest,
                            .allowed = options.allow_unmet,
                            .requested = taken ? &*taken : nullptr,
                            .gpu_claim = claim ? &*claim : nullptr};
  if (const auto* object = site.object.known()) cluster::take_placement(*object, demand);
  auto check = cluster::check_nodes(demand, nodes, {site.order.trust, !options.key.empty()});
  if (!check.report.unmet.empty())
    for (const auto& line : check.table()) log::info(line);
  return check;
}

void warn_of_template(const ClusterSite& site) {
  const auto* object = site.object.known();
  if (object == nullptr || site.order.options.operator_mode != cluster::OperatorMode::none) return;
  if (const auto left = cluster::not_taken_over(*object); !left.empty()) log::warning(left);
}

}  // namespace deploy_step
