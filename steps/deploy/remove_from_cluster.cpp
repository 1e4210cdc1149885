#include <fmt/format.h>

#include "cluster/removal.hpp"
#include "cluster/turn.hpp"
#include "kube/client.hpp"
#include "on_cluster.hpp"
#include "termination.hpp"

namespace deploy_step {

using namespace capsule;

void remove_from_cluster(const Options& options, const std::string& ns, step::Context& step) {
  const auto name = name_in(options.reference);
  kube::Client client{kube::load({options.kubeconfig, options.context})};
  const auto where = ns.empty() ? client.config().ns : ns;
  const auto holder = cluster::holder_name();
  give_back_on_termination({options.kubeconfig, options.context}, cluster::Turn::lease_name(where, name), holder);
  cluster::remove_deployment(client, where, name, options.timeout, holder);
  step.result("name", name);
  step.summary(fmt::format("nothing of {} is left in namespace {}\n", name, where));
}

}  // namespace deploy_step
