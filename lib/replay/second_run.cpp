#include "replay/second_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/this_machine.hpp"
#include "fs/temporary.hpp"
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

/// A run in a data folder of its own, whose name tells the runner nothing of which run this is.
json::Value run_here(const SecondRun& run, const deploy::RunRequest& request) {
  deploy::ThisMachine machine{{.state_folder = run.capsule.folder() / fs::random_name(), .time_limit = run.time_limit}};
  machine.prepare(run.capsule.capsule, run.capsule.root());
  return machine.run(run.capsule.capsule, run.capsule.root(), request).result;
}

deploy::Replayed run_of(const json::Value& record, const SecondRun& run) {
  const deploy::FreshRun here = [&run](const deploy::RunRequest& request) { return run_here(run, request); };
  return deploy::replay(run.run ? run.run : here, run.capsule.capsule, record);
}

enum class Samples { same, other };

/// The claims whose samples in `result` are the same as the record's, or other ones.
std::string claims_with(Samples wanted, const SecondRun& run, const json::Value& result) {
  auto second = *run.record.if_object();
  second.set("result", result);
  const json::Value again{std::move(second)};
  std::string names;
  for (const auto& claim : run.capsule.facts.claims.claims) {
    if (!is_about_samples(claim)) continue;
    const bool is_same = same(run.record.at_pointer(claim.samples), again.at_pointer(claim.samples));
    if (is_same == (wanted == Samples::same)) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", claim.name);
  }
  return names;
}

/// The record with a seed (52 bits) that follows from all of it: who wrote the runner could not know it, and every
/// check of this record takes the same.
json::Value with_another_seed(const json::Value& record) {
  constexpr std::size_t digits = 13;
  const auto digest = crypto::sha256(json::canonical(record));
  const json::Value seed{std::uint64_t{std::stoull(std::string{digest.hex().substr(0, digits)}, nullptr, 16)}};
  auto other = *record.if_object();
  other.set("seed", same(other.find("seed"), &seed) ? json::Value{0} : seed);
  return json::Value{std::move(other)};
}

/// A runner that draws with a constant gives the recorded samples again, and says what seed it was told.
void require_seed_counts(const SecondRun& run) {
  log::info("running the capsule with another seed");
  const auto other = with_trace("the run with another seed than the recorded one",
                                [&] { return run_of(with_another_seed(run.record), run); });
  if (const auto names = claims_with(Samples::same, run, other.result); !names.empty()) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("claim {} does not hold: a run with another seed gives the same samples, so they were not "
                            "drawn with the recorded one",
                            names)};
  }
}

}  // namespace

bool needs_second_run(const proof::CapsuleFacts& facts) {
  const auto& claims = facts.claims.claims;
  return std::any_of(claims.begin(), claims.end(), is_about_samples);
}

Digest run_again(const SecondRun& run) {
  log::info("running the capsule again with the recorded seed");
  auto replayed = run_of(run.record, run);
  if (const auto names = claims_with(Samples::other, run, replayed.result); !names.empty()) {
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
  if (needs_second_run(run.capsule.facts)) require_seed_counts(run);
  return std::move(replayed.output);
}

}  // namespace capsule::replay
