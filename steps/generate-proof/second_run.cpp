#include "second_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "deploy/replay.hpp"
#include "deploy/this_machine.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

json::Value not_done(std::string_view reason) {
  return json::Object{{"done", false}, {"reason", reason}};
}

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

json::Value run_again(const SecondRun& run) {
  const auto& claims = run.capsule.facts.claims.claims;
  if (std::none_of(claims.begin(), claims.end(), is_about_samples)) return not_done("no claim is about samples");
  if (!deploy::is_deterministic(run.capsule.capsule.manifest()))
    return not_done("the capsule says that it is not deterministic");
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
  return json::Object{{"done", true}, {"output_digest", replayed.output.text()}};
}

}  // namespace generate_proof
