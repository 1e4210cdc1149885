#include "failure.hpp"

#include <fmt/format.h>

#include <functional>

#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "core/time.hpp"
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

namespace {

/// `more` adds what else the status is to say.
void note(const Error& error, kube::Client& client, cluster::DeployedObject& object,
          const std::function<void(json::Object&)>& more) {
  try {
    object.change_status([&](json::Object& now) {
      deploy::set_failed(now, error);
      more(now);
    });
    cluster::tell(client, object.value(), cluster::EventType::warning, "RunFailed", error.message());
  } catch (const Error& unsaid) {
    log::warning("the object does not say why: " + unsaid.message());
  }
}

}  // namespace

void note_failure(const Error& error, kube::Client& client, cluster::DeployedObject& object) {
  note(error, client, object, [](json::Object&) {});
}

void note_failed_run(const Error& error, kube::Client& client, cluster::DeployedObject& object,
                     const deploy::RunRequest& run, cluster::RollOut& roll_out) {
  try {
    roll_out.note_fields();
  } catch (const Error& unsaid) {
    log::warning("the object bears no receipt: " + unsaid.message());
  }
  note(error, client, object, [&](json::Object& status_of) {
    auto failure =
        cluster::next_failure(json::Value{status_of}, run.capsule_digest.text(), error.kind(), run.run_id(), now());
    deploy::member(status_of, "status").set("rollout", std::move(failure));
  });
}

}  // namespace deploy_step
