#include "waiting_pods.hpp"

#include "core/error.hpp"
#include "core/time.hpp"
#include "failure.hpp"
#include "json/lookup.hpp"
#include "log/log.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// So long deploy waits for the pool to be filled again, to say how many wait.
constexpr std::chrono::seconds refill_patience{30};

}  // namespace

cluster::PodPool pods_of(const ClusterSite& site, const cluster::RollOut& roll_out,
                         std::chrono::milliseconds time_limit, Membership membership) {
  const auto& deployment = roll_out.deployment();
  const auto* deployed = deployment.at_pointer("/spec/template");
  return {site.client,
          {.ns = site.ns,
           .name = site.order.reference.name,
           .pod_template = roll_out.pod_template_label(),
           .deployment = membership == Membership::by_controller ? text_at(deployment, "/metadata/uid") : std::string{},
           .deployed = deployed == nullptr ? json::Value{} : *deployed,
           .time_limit = time_limit,
           .watts = site.order.options.watts,
           .on_wait = site.keep_turn}};
}

void bring_up(const ClusterSite& site, cluster::PodPool& pods, cluster::RollOut& roll_out, const std::string& run_id) {
  try {
    pods.wait_until_ready(run_id);
  } catch (const Error& error) {
    if (!cluster::is_failed_roll_out(error, pods.trouble())) {
      if (error.kind() == ErrorKind::not_found && !run_id.empty()) note_failure(error, site.client, site.object);
      throw;
    }
    roll_out.put_back(error, pods.trouble() ? pods.trouble()->reason : "TimedOut");
    throw;
  }
}

FilledPool fill_pool(const ClusterSite& site, cluster::RollOut& roll_out) {
  const bool may_be_former = cluster::may_have_former_pods(roll_out.deployment());
  auto pods = pods_of(site, roll_out, site.order.options.timeout,
                      may_be_former ? Membership::by_controller : Membership::by_name);
  bring_up(site, pods, roll_out, {});
  // The plan takes the same for a reason to deploy: what deploy cannot mend either has to be said, and left alone.
  auto shortage = cluster::why_not_rolled_out(roll_out.deployment(), now());
  if (!shortage.empty() && pods.trouble()) shortage = pods.trouble()->text;
  return {pods.waiting(), std::move(shortage)};
}

FilledPool refill_pool(const ClusterSite& site, const cluster::RollOut& roll_out) {
  auto pods = pods_of(site, roll_out, refill_patience, Membership::by_name);
  try {
    pods.wait_until_ready({});
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::busy) throw;
    log::warning("the run is done, its warm pool is not filled again yet: " + error.message());
  }
  return {pods.waiting()};
}

}  // namespace deploy_step
