#include "cluster/plan.hpp"

#include <fmt/format.h>

#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/pod_state.hpp"
#include "cluster/run_book.hpp"
#include "cluster/status_check.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"

namespace capsule::cluster {

namespace {

/// The wanted run, where it was begun.
std::string begun_run(const PlanWish& wish, const json::Value& object) {
  const auto run = RunBook::parse(text_at(object, "/metadata/annotations", annotation::runs)).find(wish.run);
  return run ? run->request.run_id() : std::string{};
}

/// What has failed is to be done again, but not before its pause is over.
Plan again(Plan plan, const std::optional<std::string>& until, const PlanWish& wish) {
  if (until && !wish.retry_failed)
    return {Plan::Action::none, fmt::format("{}, and is left alone until {}", plan.reason, *until)};
  plan.reason += ", and may be tried again";
  return plan;
}

/// What has failed is left alone, but not after a change of the spec, which may be what it lacked.
std::optional<Plan> plan_after_failure(const PlanWish& wish, const json::Value& object) {
  if (!has_failed(object, wish.run.capsule_digest, begun_run(wish, object))) return std::nullopt;
  const auto what =
      fmt::format("the {} of {} has failed", text_at(object, "/status/rollout/run").empty() ? "roll-out" : "run",
                  wish.run.capsule_digest.text());
  const bool is_changed = has_other_spec(text_at(object, "/metadata/annotations", annotation::fields), object);
  return again({Plan::Action::deploy, what}, is_changed ? std::nullopt : left_alone_until(object, wish.now), wish);
}

/// The last run, which is on record as `record`, is not proved.
Plan plan_proof(const PlanWish& wish, const json::Value& object, const Digest& record) {
  if (!has_failed_proof(object, record)) return {Plan::Action::prove, "its run is not proved"};
  return again({Plan::Action::prove, fmt::format("the proof of {} has failed", wish.run.capsule_digest.text())},
               proof_left_alone_until(object, wish.now), wish);
}

/// Of the wanted run, which is not on record.
std::string why_not_done(const PlanWish& wish, const json::Value& object) {
  const auto run_id = begun_run(wish, object);
  if (run_id.empty()) return "its run is not done";
  if (text_at(object, "/status/lastRun/runId") == run_id) {
    for (const auto& one : array_at(object, "/status/conditions"))
      if (text_at(one, "/type") == "Ran" && text_at(one, "/reason") == "Failed")
        return fmt::format("its run did not come to its end: {}", printable(text_at(one, "/message"), 300));
  }
  return "its run was begun and is not done";
}

/// What is to be done about the run and what the status says of it.
Plan plan_run(const PlanWish& wish, const json::Value& object) {
  using Action = Plan::Action;
  const auto runs = RunBook::parse(text_at(object, "/metadata/annotations", annotation::runs));
  const auto run = runs.find(wish.run);
  if (!run || !run->record) return {Action::deploy, why_not_done(wish, object)};
  if (auto fault = fault_of_status(object, runs, run->request.run_id()); !fault.empty())
    return {Action::deploy, std::move(fault)};
  if (is_unobserved(object)) return {Action::deploy, "its status is of an earlier generation of its spec"};
  const bool lacks_proof = deploy::requires_proof(*object.if_object()) && !is_proved(object);
  if (!is_proof_expired(object, *run->record, wish.max_proof_age, wish.now))
    return lacks_proof ? plan_proof(wish, object, *run->record) : Plan{Action::none, "it is as it should be"};
  const auto reason =
      fmt::format("{}: its run ended at {}, and the trust policy's max_age is {}",
                  lacks_proof ? "it is too late to prove it" : "its proof has expired",
                  printable(text_at(object, "/status/lastRun/time")), human_duration(*wish.max_proof_age));
  return wish.renew_proofs ? Plan{Action::renew, reason} : Plan{Action::none, reason + "; renew-proofs is not set"};
}

}  // namespace

std::string_view name_of(Plan::Action action) noexcept {
  switch (action) {
    case Plan::Action::none:
      return "none";
    case Plan::Action::deploy:
      return "deploy";
    case Plan::Action::prove:
      return "prove";
    case Plan::Action::renew:
      return "renew";
  }
  return "none";
}

bool is_proof_expired(const json::Value& object, const Digest& record,
                      const std::optional<std::chrono::milliseconds>& max_age, Time now) {
  if (!max_age || text_at(object, "/status/lastRun/record") != record.text()) return false;
  if (!is_proved(object) && !deploy::requires_proof(*object.if_object())) return false;
  try {
    return parse_time(text_at(object, "/status/lastRun/time")) + *max_age < now;
  } catch (const Error&) {
    return false;  // whoever wrote that
  }
}

Plan plan(const PlanWish& wish, const json::Value* object, const Parts& parts) {
  using Action = Plan::Action;
  const auto& digest = wish.run.capsule_digest.text();
  if (object == nullptr) return {Action::deploy, "it is not deployed"};
  if (!text_at(*object, "/metadata/deletionTimestamp").empty())
    return {Action::deploy, "it is being deleted: a deploy waits until it is gone, and makes it anew"};
  const auto receipt = text_at(*object, "/metadata/annotations", annotation::fields);
  if (auto after = plan_after_failure(wish, *object)) return *std::move(after);
  const auto there = text_at(*object, "/spec/capsule/digest");
  if (there != digest)
    return {Action::deploy,
            there.empty() ? "no capsule is deployed yet" : fmt::format("{} is deployed", printable(there))};
  if (parts.deployment == nullptr) return {Action::deploy, "its Deployment is not there"};
  if (receipt.empty()) return {Action::deploy, why_not_done(wish, *object)};
  if (auto change = changed_since(receipt, wish.options_digest, *object, parts); !change.empty())
    return {Action::deploy, std::move(change)};
  if (!parts.added.empty()) return {Action::deploy, fmt::format("somebody added to its Deployment: {}", parts.added)};
  if (const auto why = why_not_rolled_out(*parts.deployment, wish.now); !why.empty())
    return {Action::deploy, "its pods do not come up: " + why};
  return plan_run(wish, *object);
}

}  // namespace capsule::cluster
