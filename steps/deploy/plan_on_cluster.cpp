#include "plan_on_cluster.hpp"

#include "cluster/deployed_object.hpp"
#include "cluster/drift.hpp"
#include "cluster/objects.hpp"
#include "cluster/ownership.hpp"
#include "cluster/plan.hpp"
#include "cluster/platform_operator.hpp"
#include "cluster/target_name.hpp"
#include "image/published_package.hpp"
#include "kube/client.hpp"
#include "node_check.hpp"
#include "options_digest.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// What somebody added to the Deployment; empty: nothing.
std::string added_to(const json::Value& deployment, kube::Client& client, const kube::Name& name,
                     cluster::OperatorMode mode) {
  const auto other = mode == cluster::OperatorMode::none ? std::string{} : cluster::other_maker(deployment);
  return cluster::text_of(cluster::effective(cluster::additions(deployment, other), client, name, deployment,
                                             cluster::own_spec(deployment, other)));
}

cluster::Plan plan_of(const ClusterSite& site, const deploy::RunWish& run, const std::string& options_digest,
                      bool retry_failed) {
  const auto& options = site.order.options;
  const auto& object = site.object;
  auto& client = site.client;
  const auto name = cluster::deployment_of(object.name());
  const auto deployment = client.find(name);
  std::optional<json::Value> trust;
  if (options.capsule_volume == cluster::CapsuleVolume::download)
    trust = client.find(cluster::trust_config_of(object.name()));
  auto budget = client.find(cluster::disruption_budget_of(object.name()));
  if (budget && !cluster::is_ours(*budget)) budget.reset();
  return cluster::plan({run, now(), retry_failed, site.order.trust.max_proof_age(site.order.reference.name),
                        options.renew_proofs, options_digest},
                       object.known(),
                       {deployment ? &*deployment : nullptr, trust ? &*trust : nullptr, budget ? &*budget : nullptr,
                        deployment ? added_to(*deployment, client, name, options.operator_mode) : ""});
}

}  // namespace

cluster::Plan plan_there(const ClusterSite& site, const deploy::RunWish& run, const std::string& options_digest) {
  return plan_of(site, run, options_digest, true);
}

void plan_on_cluster(const Order& order, const std::string& ns, step::Context& step) {
  cluster::require_short_name(order.reference.name);
  const auto& options = order.options;
  const auto store = oci::open_store(order.reference.registry, order.reference.name);
  // A claim of the registry, not verified: where it is what is deployed, that was; else the deploy verifies it.
  const auto published = image::read_published(*store, *order.reference.digest);
  kube::Client client{kube::load({options.kubeconfig, options.context})};
  const auto where = ns.empty() ? client.config().ns : ns;
  cluster::DeployedObject object{client, where, order.reference.name};
  const auto* there = object.read();
  require_index_goes_on(order, there, step.progress());
  const deploy::RunWish run{published.capsule_digest, cluster::target_of(client, where), order.parameters,
                            options.budget, options.seed};
  const auto receipt = there == nullptr ? std::string{} : object.annotation(cluster::annotation::fields);
  const ClusterSite site{order, client, where, *store, object, {}};
  const auto found = plan_of(site, run, options_digest_of_loop(order, published, receipt), options.retry_failed);
  // Once, and not at each tick of a cron workflow.
  if (found.action == cluster::Plan::Action::deploy) warn_of_template(site);
  step.output("action", cluster::name_of(found.action));
  step.output("reason", found.reason);
  step.output("reference", order.reference.text());
  step.output("capsule-digest", published.capsule_digest.text());
  step.result("api_calls", client.requests());
}

}  // namespace deploy_step
