#include "run_in_pod.hpp"

#include <fmt/format.h>

#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/pod_pool.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "failure.hpp"
#include "log/log.hpp"
#include "waiting_pods.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// Warm only where a pod waited, and in it a process that had loaded all.
deploy::RunStart start_of(const Manifest& manifest, const cluster::PodRun& done) {
  using Mode = deploy::RunStart::Mode;
  if (manifest.prewarm_replicas == 0)
    return {Mode::cold, "the manifest wants no waiting process: a pod was started for it"};
  const auto& agents = done.outcome.facts.start;
  if (agents.mode == Mode::cold && !agents.reason.empty()) return agents;
  return {Mode::warm, "a pod of the warm pool waited for it"};
}

std::string record_of(const RunInPod& run, const deploy::RunRequest& request, const cluster::PodRun& done) {
  auto facts = done.outcome.facts;
  facts.start = start_of(run.capsule.manifest(), done);
  deploy::RunPlace place{done.pod.node, {}, {}, run.check.report.waived};
  if (const auto* node = run.check.find(done.pod.node)) place.identity = node->identity;
  if (!run.check.gpu_resource.empty()) place.gpus.push_back(run.check.gpu_resource);
  if (!run.check.gpu_claim.empty()) place.gpus.push_back("resourceclaimtemplate/" + run.check.gpu_claim);
  return deploy::run_record(run.capsule.manifest(), request, facts, place);
}

void note_claim(cluster::DeployedObject& deployed, const cluster::PodState& pod, unsigned still_waiting) {
  deployed.change_status([&](json::Object& object) {
    deploy::set_warm(object, still_waiting, {});
    deploy::set_running(object);
    auto& last = deploy::member(deploy::member(object, "status"), "lastRun");
    last.set("pod", pod.name);
    last.set("node", pod.node);
  });
}

cluster::PodRun run_in(cluster::PodPool& pods, const RunInPod& run, const deploy::RunRequest& request) {
  const auto& site = run.site;
  const auto others = pods.waiting() > 0 ? pods.waiting() - 1 : 0U;  // it runs once, and waits no more
  try {
    return pods.run(request, [&](const cluster::PodState& pod) { note_claim(site.object, pod, others); });
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::capsule_failed)
      note_failed_run(error, site.client, site.object, request, run.roll_out);
    else
      note_failure(error, site.client, site.object);
    // A pod that is for this run alone, and not of a warm pool, goes; one that may still be at work, and be asked
    // again, stays.
    const bool is_for_this = run.capsule.manifest().prewarm_replicas == 0;
    if (is_for_this && (pods.has_failed_run() || !retry_helps(error.kind()))) run.roll_out.try_to_end_pods();
    throw;
  }
}

}  // namespace

std::string make_run_in_pod(const RunInPod& run, deploy::LedgerEntry& entry) {
  const auto& site = run.site;
  const auto run_id = entry.request.run_id();
  site.store.require_writable();  // a run whose record cannot be attached would be for nothing
  auto pods = pods_of(site, run.roll_out, site.order.options.timeout, Membership::by_controller);
  bring_up(site, pods, run.roll_out, run_id);
  site.object.change_status([&](json::Object& object) {
    deploy::set_pending(object, run_id);
    deploy::set_warm(object, pods.waiting(), {});
    note_index(site.order, object);
  });
  const auto done = run_in(pods, run, entry.request);
  for (const auto& line : done.outcome.log) log::info("run: " + line);
  entry.text = record_of(run, entry.request, done);
  entry.record =
      deploy::attach_run_record(site.store, subject_of(site.store, *site.order.reference.digest), entry.text);
  const bool was_warm = start_of(run.capsule.manifest(), done).mode == deploy::RunStart::Mode::warm;
  std::string start = was_warm ? "warm" : "cold";
  note_run(run, entry, start);
  cluster::tell(site.client, site.object.value(), cluster::EventType::normal, "Ran",
                fmt::format("run {} is on record as {}", run_id, entry.record->text()));
  pods.discard(done.pod);
  return start;
}

void note_run(const RunInPod& run, const deploy::LedgerEntry& entry, const std::string& start) {
  run.ledger.finish(run.wish, entry);
  run.site.object.change_status([&](json::Object& object) {
    deploy::set_ran(object, *entry.record, start);
    cluster::clear_failed_try(object);
  });
}

}  // namespace deploy_step
