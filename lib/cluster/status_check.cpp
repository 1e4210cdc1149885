#include "cluster/status_check.hpp"

#include <algorithm>
#include <array>

#include "cluster/names.hpp"
#include "cluster/objects.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"

namespace capsule::cluster {

namespace {

bool holds(const json::Value& object, std::string_view type) {
  const auto& all = array_at(object, "/status/conditions");
  return std::any_of(all.begin(), all.end(), [&](const json::Value& one) {
    return text_at(one, "/type") == type && text_at(one, "/status") == "True";
  });
}

bool is_of_status(const json::Value& manager) {
  return text_at(manager, "/subresource") == "status";
}

bool has_status_subresource(const json::Value& object) {
  const auto& managers = array_at(object, "/metadata/managedFields");
  return std::any_of(managers.begin(), managers.end(), is_of_status);
}

/// Whether a manager that is none of us alone has set one of the members of the status that say what the proof is.
bool has_others_proof(const json::Value& object) {
  constexpr std::array<const char*, 4> members{"proofId", "proofDigest", "proofHash", "proofUtid"};
  const auto& managers = array_at(object, "/metadata/managedFields");
  const auto is_set = [&](const std::string& member, bool by_us) {
    return std::any_of(managers.begin(), managers.end(), [&](const json::Value& one) {
      return is_of_status(one) && is_our_manager(one) == by_us &&
             one.at_pointer("/fieldsV1/f:status/f:" + member) != nullptr;
    });
  };
  return std::any_of(members.begin(), members.end(), [&](const std::string& member) {
    return !text_at(object, "/status/" + member).empty() && is_set(member, false) && !is_set(member, true);
  });
}

/// Whether phase and conditions are those of a run that is on record, proved or not.
bool fits_a_recorded_run(const json::Value& object) {
  const bool proved = is_proved(object) && !text_at(object, "/status/proofDigest").empty();
  const bool ready = proved || !deploy::requires_proof(*object.if_object());
  return holds(object, "Ran") && is_proved(object) == proved && holds(object, "Ready") == ready &&
         text_at(object, "/status/phase") == (proved ? "Proved" : "Ran");
}

}  // namespace

bool is_proved(const json::Value& object) {
  return holds(object, "Proved");
}

std::string fault_of_status(const json::Value& object, const RunBook& runs, const std::string& run_id) {
  const auto last = text_at(object, "/status/lastRun/runId");
  if (last.empty() || text_at(object, "/status/phase").empty()) return "its status is lost";
  const auto record = runs.record_of(last);
  if (!record) return "its status names a run that was never begun";
  if (last != run_id) return "its status is of another run";
  if (text_at(object, "/status/lastRun/record") != *record) return "its status has another record of its last run";
  if (record->empty()) return {};
  if (!fits_a_recorded_run(object)) return "its status does not fit its last run, which is on record";
  return has_others_proof(object) ? "its status has a proof that somebody else has put there" : std::string{};
}

bool is_unobserved(const json::Value& object) {
  if (!has_status_subresource(object)) return false;
  auto next = *object.if_object();
  set_seen(next, object);
  return !(json::Value{next} == object);
}

void set_seen(json::Object& object, const json::Value& applied) {
  const auto* generation = applied.at_pointer("/metadata/generation");
  if (generation == nullptr || !has_status_subresource(json::Value{object})) return;
  deploy::set_observed(object, *generation);
}

}  // namespace capsule::cluster
