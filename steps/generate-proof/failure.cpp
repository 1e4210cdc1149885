#include "failure.hpp"

#include "cluster/deployed_object.hpp"
#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "core/time.hpp"
#include "kube/client.hpp"
#include "kube/kubeconfig.hpp"
#include "log/log.hpp"

namespace generate_proof {

using namespace capsule;
using namespace std::chrono_literals;

void note_failure(const Error& error, const ClusterChoice& cluster, const std::string& name, const Digest& run_record) {
  try {
    // It may be the cluster that has failed: not for long.
    kube::Client client{kube::load({cluster.kubeconfig, cluster.context}),
                        {.retry = {{.attempts = 3}, 5s}, .limit = 5s}};
    cluster::DeployedObject object{client, cluster.ns.empty() ? client.config().ns : cluster.ns, name};
    const auto* there = object.read();
    if (there == nullptr) return;
    const auto before = *there;
    object.change_status([&](json::Object& changed) { cluster::set_failed_proof(changed, run_record, error, now()); });
    if (object.value() == before) return;  // another run is the last one, or somebody else has proved it
    cluster::tell(client, object.value(), cluster::EventType::warning, "ProofFailed", error.message(),
                  "capsule-generate-proof");
  } catch (const Error& unsaid) {
    log::warning("the object does not say why: " + unsaid.message());
  }
}

}  // namespace generate_proof
