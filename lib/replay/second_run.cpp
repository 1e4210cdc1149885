#include "replay/second_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "deploy/replay.hpp"
#include "deploy/this_machine.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::replay {

namespace {

bool is_about_samples(const proof::Claim& claim) {
  return claim.type == proof::ClaimType::sim_alignment;
}

bool same(const json::Value* left, const json::Value* right) {
  return left != nullptr && right != nullptr && json::canonical(*left) == json::canonical(*right);
}

/// The claims whose samples are other ones in the second run.
std::string claims_that_differ(const SecondRun& run, const json::Value& result) {
  auto second = *run.record.if_object();
  second.set("result", result);
  const json::Value again{std::move(second)};
  std::string names;
  for (const auto& claim : run.capsule.facts.claims.claims) {
    if (is_about_samples(claim) && !same(run.record.at_pointer(claim.samples), again.at_pointer(claim.samples)))
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", claim.name);
  }
  return names;
}

}  // namespace

bool needs_second_run(const proof::CapsuleFacts& facts) {
  const auto& claims = facts.claims.claims;
  return std::any_of(claims.begin(), claims.end(), is_about_samples);
}

Digest run_again(const SecondRun& run) {
  log::info("running the capsule again with the recorded seed");
  deploy::ThisMachine machine{{.state_folder = run.capsule.folder() / "again", .time_limit = run.time_limit}};
  machine.prepare(run.capsule.capsule, run.capsule.root());
  const auto replayed = deploy::replay(machine, run.capsule.capsule, run.capsule.root(), run.record);
  if (const auto names = claims_that_differ(run, replayed.result); !names.empty()) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("claim {} does not hold: a second run with the recorded parameters and seed gives other "
                            "samples than the run record",
                            names)};
  }
  if (!replayed.is_same()) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the run record is not what a run with its parameters and seed gives: output {}, not {}",
                            replayed.output.text(), replayed.recorded.text())};
  }
  return replayed.output;
}

}  // namespace capsule::replay
