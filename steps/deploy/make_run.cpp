#include "make_run.hpp"

#include <fmt/format.h>

#include "crypto/hash.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"
#include "warm_pool.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// So long deploy waits for the pool to be filled again, to say how many wait.
constexpr std::chrono::seconds refill_patience{1};

deploy::RunFacts cold(const RunToMake& run, const deploy::RunRequest& request, std::string reason) {
  run.object.running();
  auto facts = run.target.run(run.capsule, run.root, request);
  facts.start = {deploy::RunStart::Mode::cold, std::move(reason)};
  return facts;
}

/// The run in a waiting process, where the manifest wants those and one is to be had; else in one that is started for
/// it. The facts say which, and why.
deploy::RunFacts warm_or_cold(const RunToMake& run, const deploy::RunRequest& request) {
  const auto replicas = run.capsule.manifest().prewarm_replicas;
  if (replicas == 0) return cold(run, request, "the manifest wants no waiting process");
  WarmPool pool{{run.pool, run.target.workload(run.capsule, run.root), run.capsule.capsule_digest(), replicas,
                 run.time_limit, run.watts}};
  const auto readiness = pool.warm();
  run.object.warm(readiness.ready, readiness.reason);
  if (readiness.ready > 0) {
    run.object.running();
    try {
      if (auto facts = pool.run(request)) {
        run.object.refilled(pool.refilled(refill_patience));
        return std::move(*facts);
      }
    } catch (const Error&) {
      const auto& name = run.capsule.manifest().name;
      log::warning(fmt::format("the run failed, its warm pool goes on: capsule-deploy delete {} ends it", name));
      throw;
    }
  }
  log::warning("a cold run: " + pool.cold_reason());
  return cold(run, request, pool.cold_reason());
}

}  // namespace

std::string make_run(const RunToMake& run, const deploy::RunRequest& request) {
  try {
    run.target.prepare(run.capsule, run.root);
    const auto facts = warm_or_cold(run, request);
    auto place = run.target.place();
    place.waived = run.waived;
    return deploy::run_record(run.capsule.manifest(), request, facts, place);
  } catch (const Error& error) {
    run.object.failed(error);
    throw;
  }
}

}  // namespace deploy_step
