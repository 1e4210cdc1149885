#include "failure.hpp"

#include <fmt/format.h>

#include "cluster/events.hpp"
#include "deploy/deployment_status.hpp"
#include "log/log.hpp"

namespace deploy_step {

using namespace capsule;

std::optional<Error> deletion_behind(const Error& error, cluster::DeployedObject& object) {
  try {
    if (!object.was_deleted() || (error.kind() == ErrorKind::busy && object.lasting_owner())) return std::nullopt;
  } catch (const Error& unknown) {
    log::debug("whether the object is there is not known: " + unknown.message());
    return std::nullopt;
  }
  return Error{ErrorKind::not_found,
               fmt::format("the {} was deleted while it was deployed, and what it owned goes with it ({})",
                           kube::text_of(object.name()), error.message())};
}

void note_failure(const Error& error, kube::Client& client, cluster::DeployedObject& object) {
  try {
    object.change_status([&](json::Object& now) { deploy::set_failed(now, error); });
    cluster::tell(client, object.value(), cluster::EventType::warning, "RunFailed", error.message());
  } catch (const Error& unsaid) {
    log::warning("the object does not say why: " + unsaid.message());
  }
}

}  // namespace deploy_step
