#include "deploy/proofed_deployment.hpp"

#include <fmt/format.h>

#include "core/time.hpp"
#include "fs/atomic_file.hpp"
#include "fs/lock.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_object_bytes = std::size_t{4} << 20U;
constexpr std::chrono::seconds lock_patience{10};

json::Object& member(json::Object& object, std::string_view name) {
  auto* found = object.find(name);
  if (found == nullptr || !found->is_object()) found = &object.set(name, json::Object{});
  return *found->if_object();
}

json::Value spec_of(const Manifest& manifest, const Digest& capsule, const std::string& image) {
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

json::Value generation_of(json::Object& object) {
  const auto* found = member(object, "metadata").find("generation");
  return found == nullptr ? json::Value{} : *found;
}

/// What a condition says (Kubernetes API conventions, "Typical status properties").
struct Condition {
  std::string_view type;
  bool holds = false;
  std::string_view reason;  ///< one word, CamelCase
  std::string message{};
};

bool has_type(const json::Value& condition, std::string_view type) {
  const auto* found = condition.at_pointer("/type");
  return found != nullptr && found->if_string() != nullptr && *found->if_string() == type;
}

/// Sets or replaces a condition; its time is that of the last change of its status.
void set_condition(json::Object& object, const Condition& condition) {
  const std::string_view status = condition.holds ? "True" : "False";
  json::Object next{{"type", condition.type},
                    {"status", status},
                    {"reason", condition.reason},
                    {"message", condition.message},
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

void set_phase(json::Object& object, std::string_view phase) {
  auto& status = member(object, "status");
  status.set("phase", phase);
  status.set("observedGeneration", generation_of(object));
}

bool requires_proof(const json::Object& object) {
  const auto* spec = object.find("spec");
  const auto* required = spec == nullptr ? nullptr : spec->at_pointer("/proofPolicy/required");
  return required == nullptr || required->if_bool() == nullptr || *required->if_bool();
}

/// 0 where there is none, or no such number.
std::uint64_t generation_in(const json::Object& metadata) {
  const auto* found = metadata.find("generation");
  if (found == nullptr || !found->is_number()) return 0;
  const auto number = json::to_double(*found->if_number());
  return number >= 1 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

void set_spec(json::Object& object, const std::string& name, json::Value spec) {
  object.set("apiVersion", "infra.industriverse.ai/v1");
  object.set("kind", "ProofedDeployment");
  auto& metadata = member(object, "metadata");
  metadata.set("name", name);
  if (metadata.find("creationTimestamp") == nullptr) metadata.set("creationTimestamp", format_time(now()));
  const auto* before = object.find("spec");
  if (before != nullptr && *before == spec) return;
  metadata.set("generation", generation_in(metadata) + 1);
  object.set("spec", std::move(spec));
}

/// What the file says; nothing where it is not there, or damaged: it only reports, and must keep nobody from a run.
json::Object read(const fs::Path& file) {
  if (!std::filesystem::exists(file)) return {};
  try {
    auto value = json::parse(fs::read_file(file, max_object_bytes), file.string());
    auto* object = value.if_object();
    if (object != nullptr) return std::move(*object);
    throw Error{ErrorKind::invalid_input, fmt::format("{} is no object", printable(file.string(), 1024))};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    log::warning(fmt::format("the report of the deployment is damaged and is begun anew: {}", error.message()));
    return {};
  }
}

std::string text_at(const json::Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

}  // namespace

fs::Path ProofedDeployment::file_of(const fs::Path& state, const std::string& name) {
  return state / "deployments" / name / "proofeddeployment.json";
}

void ProofedDeployment::change(const std::function<void(json::Object& object)>& work) {
  const fs::FileLock lock{m_file.parent_path() / ".object.lock", lock_patience};
  auto object = read(m_file);
  const auto before = object;
  work(object);
  if (!(object == before)) fs::write_file(m_file, json::pretty(object));
}

void ProofedDeployment::begin(const Manifest& manifest, const Digest& capsule, const std::string& image,
                              const std::string& run_id) {
  change([&](json::Object& object) {
    set_spec(object, manifest.name, spec_of(manifest, capsule, image));
    auto& status = member(object, "status");
    for (const auto* gone : {"proofId", "proofDigest", "anchors"}) status.erase(gone);
    status.set("lastRun", json::Object{{"runId", run_id}, {"time", format_time(now())}});
    set_phase(object, "Pending");
    const bool proof_awaited = requires_proof(object);
    set_condition(object, {"Ran", false, "Pending"});
    set_condition(object, {"Proved", false, proof_awaited ? "ProofPending" : "NotRequired"});
    set_condition(object, {"Ready", false, "Pending"});
    set_condition(object, {"Stalled", false, "Progressing"});
  });
}

void ProofedDeployment::warm(unsigned replicas, const std::string& reason) {
  change([&](json::Object& object) {
    member(object, "status").set("warmReplicas", replicas);
    if (replicas > 0) {
      set_phase(object, "Warm");
      set_condition(object, {"Warm", true, "ProcessesWait"});
    } else {
      set_condition(object, {"Warm", false, "NoneWaits", reason});
    }
  });
}

void ProofedDeployment::running() {
  change([](json::Object& object) { set_phase(object, "Running"); });
}

void ProofedDeployment::refilled(unsigned replicas) {
  change([&](json::Object& object) { member(object, "status").set("warmReplicas", replicas); });
}

void ProofedDeployment::ran(const Digest& record, const std::string& start) {
  change([&](json::Object& object) {
    auto& last = member(member(object, "status"), "lastRun");
    last.set("time", format_time(now()));
    last.set("record", record.text());
    last.set("start", start);
    set_phase(object, "Running");
    set_condition(object, {"Ran", true, "Succeeded"});
    const bool ready = !requires_proof(object);
    set_condition(object, {"Ready", ready, ready ? "Ran" : "ProofPending"});
  });
}

void ProofedDeployment::failed(const Error& error) {
  change([&](json::Object& object) {
    set_phase(object, "Failed");
    set_condition(object, {"Ran", false, "Failed", error.message()});
    set_condition(object, {"Ready", false, "Failed", error.message()});
    set_condition(object, {"Stalled", !retry_helps(error.kind()), "Failed", error.message()});
  });
}

bool ProofedDeployment::proved(const ProofOfRun& proof) {
  const json::Value now_there{read(m_file)};
  if (text_at(now_there, "/spec/capsule/digest") != proof.capsule.text() ||
      text_at(now_there, "/status/lastRun/record") != proof.run_record.text())
    return false;
  json::Array anchors;
  for (const auto& [chain, receipt] : proof.anchors)
    anchors.emplace_back(json::Object{{"chain", chain}, {"receipt", receipt.text()}});
  const auto* known = now_there.at_pointer("/status/anchors");
  if (text_at(now_there, "/status/phase") == "Proved" &&
      text_at(now_there, "/status/proofDigest") == proof.bundle.text() && known != nullptr &&
      *known == json::Value{anchors})
    return true;
  change([&](json::Object& object) {
    auto& status = member(object, "status");
    status.set("proofId", proof.proof_id);
    status.set("proofDigest", proof.bundle.text());
    status.set("anchors", std::move(anchors));
    set_phase(object, "Proved");
    set_condition(object, {"Proved", true, "ProofVerified"});
    set_condition(object, {"Ready", true, "Proved"});
  });
  return true;
}

void ProofedDeployment::pool_ended() {
  if (!std::filesystem::exists(m_file)) return;
  change([](json::Object& object) {
    auto& status = member(object, "status");
    if (status.find("warmReplicas") == nullptr) return;
    status.set("warmReplicas", 0);
    set_condition(object, {"Warm", false, "Deleted", "capsule-deploy delete ended the warm pool"});
  });
}

}  // namespace capsule::deploy
