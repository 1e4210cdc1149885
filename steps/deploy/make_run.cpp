#include "make_run.hpp"

#include "crypto/hash.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"
#include "warm_pool.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// The run in a waiting process, where the manifest wants those and one is to be had; else in one that is started for
/// it. The facts say which, and why.
deploy::RunFacts warm_or_cold(const RunToMake& run, const deploy::RunRequest& request) {
  std::string reason = "the manifest wants no waiting process";
  if (const auto replicas = run.capsule.manifest().prewarm_replicas; replicas > 0) {
    WarmPool pool{{run.pool, run.target.workload(run.capsule, run.root), run.capsule.capsule_digest(), replicas,
                   run.time_limit, run.watts}};
    if (pool.warm().ready > 0) {
      run.object.set_phase("Warm", request.run_id());
      run.object.set_phase("Running", request.run_id());
      if (auto facts = pool.run(request)) return std::move(*facts);
    }
    reason = pool.cold_reason();
    log::warning("a cold run: " + reason);
  }
  run.object.set_phase("Running", request.run_id());
  auto facts = run.target.run(run.capsule, run.root, request);
  facts.start = {deploy::RunStart::Mode::cold, reason};
  return facts;
}

}  // namespace

RunMade make_run(const RunToMake& run, const deploy::RunRequest& request) {
  run.object.set_phase("Pending", request.run_id());
  run.target.prepare(run.capsule, run.root);
  const auto facts = warm_or_cold(run, request);
  auto place = run.target.place();
  place.waived = run.waived;
  return {deploy::run_record(run.capsule.manifest(), request, facts, place), facts.start.mode};
}

Digest attach_record(oci::Store& store, const oci::Descriptor& subject, const std::string& run_id,
                     const std::string& record) {
  const std::string type{oci::media_type::run_record};
  oci::attach(store, subject, {type, type, record, {{"ai.industriverse.capsule.run-id", run_id}}});
  return crypto::sha256(record);
}

}  // namespace deploy_step
