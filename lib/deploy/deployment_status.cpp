#include "deploy/deployment_status.hpp"

#include <algorithm>
#include <array>

#include "core/time.hpp"
#include "json/lookup.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_message = 4096;  // bytes; metav1.Condition has room for 32768
constexpr std::string_view proof_failed = "ProofFailed";

json::Value generation_of(const json::Object& object) {
  const auto* metadata = object.find("metadata");
  const auto* found = metadata == nullptr ? nullptr : metadata->at_pointer("/generation");
  return found == nullptr ? json::Value{} : *found;
}

bool has_type(const json::Value& condition, std::string_view type) {
  const auto* found = condition.at_pointer("/type");
  return found != nullptr && found->if_string() != nullptr && *found->if_string() == type;
}

std::string reason_of(const json::Value& object, std::string_view type) {
  for (const auto& condition : array_at(object, "/status/conditions"))
    if (has_type(condition, type)) return text_at(condition, "/reason");
  return {};
}

void set_phase(json::Object& object, std::string_view phase) {
  auto& status = member(object, "status");
  status.set("phase", phase);
  status.set("observedGeneration", generation_of(object));
}

json::Array anchors_of(const ProofOfRun& proof) {
  json::Array out;
  for (const auto& [chain, receipt] : proof.anchors)
    out.emplace_back(json::Object{{"chain", chain}, {"receipt", receipt.text()}});
  return out;
}

}  // namespace

json::Object& member(json::Object& object, std::string_view name) {
  auto* found = object.find(name);
  if (found == nullptr || !found->is_object()) found = &object.set(name, json::Object{});
  return *found->if_object();
}

json::Object proofed_spec(const Manifest& manifest, const Digest& capsule, const std::string& image) {
  json::Array types;
  for (const auto& type : manifest.proof_policy.types) types.emplace_back(type);
  json::Object spec{
      {"capsule",
       json::Object{
           {"name", manifest.name}, {"version", manifest.version}, {"digest", capsule.text()}, {"image", image}}},
      {"proofPolicy", json::Object{{"required", manifest.proof_policy.required}, {"proofTypes", std::move(types)}}},
      {"prewarm", manifest.prewarm_replicas > 0}};
  for (const auto& requirement : manifest.requirements) {
    if (requirement.kind == Requirement::Kind::utid) spec.set("utidBinding", json::Object{{"type", requirement.word}});
  }
  return spec;
}

void set_condition(json::Object& object, const Condition& condition) {
  const std::string_view status = condition.holds ? "True" : "False";
  json::Object next{{"type", condition.type},
                    {"status", status},
                    {"reason", condition.reason},
                    {"message", printable(condition.message, max_message)},
                    {"lastTransitionTime", format_time(now())},
                    {"observedGeneration", generation_of(object)}};
  auto& all = member(object, "status");
  if (all.find("conditions") == nullptr) all.set("conditions", json::Array{});
  auto* list = all.find("conditions")->if_array();
  if (list == nullptr) list = all.set("conditions", json::Array{}).if_array();
  for (auto& old : *list) {
    if (!has_type(old, condition.type)) continue;
    const auto* before = old.at_pointer("/status");
    const auto* time = old.at_pointer("/lastTransitionTime");
    if (before != nullptr && before->if_string() != nullptr && *before->if_string() == status && time != nullptr)
      next.set("lastTransitionTime", *time);
    old = std::move(next);
    return;
  }
  list->emplace_back(std::move(next));
}

void set_pending(json::Object& object, const std::string& run_id) {
  auto& status = member(object, "status");
  for (const auto* gone : {"proofId", "proofDigest", "proofHash", "proofUtid", "proofScore", "anchors", "failedProof"})
    status.erase(gone);
  status.set("lastRun", json::Object{{"runId", run_id}, {"time", format_time(now())}});
  set_phase(object, "Pending");
  const bool proof_awaited = requires_proof(object);
  set_condition(object, {"Ran", false, "Pending"});
  set_condition(object, {"Proved", false, proof_awaited ? "ProofPending" : "NotRequired"});
  set_condition(object, {"Ready", false, "Pending"});
  set_condition(object, {"Stalled", false, "Progressing"});
}

void set_warm(json::Object& object, unsigned replicas, const std::string& reason) {
  member(object, "status").set("warmReplicas", replicas);
  if (replicas > 0) {
    set_phase(object, "Warm");
    set_condition(object, {"Warm", true, "ProcessesWait"});
  } else {
    set_condition(object, {"Warm", false, "NoneWaits", reason});
  }
}

void set_running(json::Object& object) {
  set_phase(object, "Running");
}

void set_ran(json::Object& object, const Digest& record, const std::string& start) {
  auto& last = member(member(object, "status"), "lastRun");
  last.set("time", format_time(now()));
  last.set("record", record.text());
  last.set("start", start);
  set_phase(object, "Ran");
  set_condition(object, {"Ran", true, "Succeeded"});
  const bool ready = !requires_proof(object);
  set_condition(object, {"Ready", ready, ready ? "Ran" : "ProofPending"});
}

void set_ran_before(json::Object& object, const RecordedRun& run) {
  set_pending(object, run.run_id);
  set_ran(object, run.record, run.start);
  auto& last = member(member(object, "status"), "lastRun");
  last.set("time", run.time);
  last.set("node", run.node);
  set_condition(object, {"Stalled", false, "Ran"});
}

void set_observed(json::Object& object, const json::Value& generation) {
  constexpr std::array<std::string_view, 6> ours{"Warm", "Ran", "Proved", "Ready", "Stalled", "RolloutFailed"};
  auto& status = member(object, "status");
  status.set("observedGeneration", generation);
  auto* conditions = status.find("conditions");
  if (conditions == nullptr || conditions->if_array() == nullptr) return;
  for (auto& condition : *conditions->if_array()) {
    const bool is_ours =
        std::any_of(ours.begin(), ours.end(), [&](std::string_view type) { return has_type(condition, type); });
    if (is_ours) condition.if_object()->set("observedGeneration", generation);
  }
}

void set_failed(json::Object& object, const Error& error) {
  set_phase(object, "Failed");
  set_condition(object, {"Ran", false, "Failed", error.message()});
  set_condition(object, {"Ready", false, "Failed", error.message()});
  set_condition(object, {"Stalled", !retry_helps(error.kind()), "Failed", error.message()});
}

void set_proof_failed(json::Object& object, const Error& error) {
  set_condition(object, {"Proved", false, proof_failed, error.message()});
  if (!requires_proof(object)) return;
  set_condition(object, {"Ready", false, proof_failed, error.message()});
  set_condition(object, {"Stalled", !retry_helps(error.kind()), proof_failed, error.message()});
}

void take_back_proof_failed(json::Object& object) {
  const json::Value before{object};
  const auto take_back = [&](const Condition& condition) {
    if (reason_of(before, condition.type) == proof_failed) set_condition(object, condition);
  };
  take_back({"Proved", false, requires_proof(object) ? "ProofPending" : "NotRequired"});
  take_back({"Ready", false, "ProofPending"});
  take_back({"Stalled", false, "Progressing"});
}

bool requires_proof(const json::Object& object) {
  const auto* spec = object.find("spec");
  const auto* required = spec == nullptr ? nullptr : spec->at_pointer("/proofPolicy/required");
  return required == nullptr || required->if_bool() == nullptr || *required->if_bool();
}

bool is_proof_of(const json::Object& object, const ProofOfRun& proof) {
  const json::Value value{object};
  return text_at(value, "/spec/capsule/digest") == proof.capsule.text() &&
         text_at(value, "/status/lastRun/record") == proof.run_record.text();
}

void set_proved(json::Object& object, const ProofOfRun& proof) {
  const json::Value before{object};
  const auto anchors = anchors_of(proof);
  const auto* known = before.at_pointer("/status/anchors");
  if (text_at(before, "/status/phase") == "Proved" && text_at(before, "/status/proofDigest") == proof.bundle.text() &&
      known != nullptr && *known == json::Value{anchors})
    return;
  auto& status = member(object, "status");
  status.set("proofId", proof.proof_id);
  status.set("proofDigest", proof.bundle.text());
  status.set("anchors", anchors);
  if (!proof.proof_hash.empty()) status.set("proofHash", proof.proof_hash);
  if (!proof.utid.empty()) status.set("proofUtid", proof.utid);
  set_phase(object, "Proved");
  set_condition(object, {"Proved", true, "ProofVerified"});
  set_condition(object, {"Ready", true, "Proved"});
}

}  // namespace capsule::deploy
