#include "cluster/failed_try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/status_check.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"

namespace capsule::cluster {

namespace {

/// How long what has failed is left alone: the first time, doubled each time, at most.
struct Pauses {
  std::chrono::minutes first;
  std::chrono::minutes longest;
};

constexpr Pauses pauses_of_faults{std::chrono::hours{1}, longest_pause};
constexpr Pauses pauses_of_what_passes{std::chrono::minutes{5}, std::chrono::hours{1}};

constexpr std::string_view roll_out = "rollout";
constexpr std::string_view proof = "failedProof";

std::string text_of_status(const json::Value& object, std::string_view member, std::string_view name) {
  return text_at(object, fmt::format("/status/{}/{}", member, name));
}

/// How often that has failed before.
std::int64_t failures_in(const json::Value& object, std::string_view member) {
  const auto* count = object.at_pointer(fmt::format("/status/{}/count", member));
  if (count == nullptr || count->if_number() == nullptr) return 0;
  return static_cast<std::int64_t>(std::clamp(json::to_double(*count->if_number()), 0.0, 1e6));
}

/// Until when what that member of the status has is left alone.
std::optional<std::string> pause_in(const json::Value& object, std::string_view member, Time now) {
  auto until = text_of_status(object, member, "retryAfter");
  try {
    const auto time = parse_time(until);
    if (time > now && time <= now + longest_pause) return until;  // later than that: none that we wrote
  } catch (const Error&) {
    return std::nullopt;  // whoever wrote that
  }
  return std::nullopt;
}

/// The next value of that member: of what its member `key` is `of`.
json::Object next_in(const json::Value& object, std::string_view member, std::string_view key, const std::string& of,
                     ErrorKind kind, Time now) {
  const auto before = text_of_status(object, member, key) == of ? failures_in(object, member) : 0;
  const auto left_until = before > 0 ? pause_in(object, member, now) : std::nullopt;
  const auto count = left_until ? before : before + 1;
  const auto& pauses = retry_helps(kind) ? pauses_of_what_passes : pauses_of_faults;
  auto pause = pauses.first;
  for (std::int64_t i = 1; i < count && pause < pauses.longest; ++i) pause *= 2;
  auto until = now + std::min(pause, pauses.longest);
  if (left_until) until = std::max(until, parse_time(*left_until));
  return {{std::string{key}, of}, {"count", count}, {"retryAfter", format_time(until)}};
}

}  // namespace

json::Object next_failure(const json::Value& object, const std::string& capsule, ErrorKind kind,
                          std::string_view run_id, Time now) {
  auto out = next_in(object, roll_out, "digest", capsule, kind, now);
  if (!run_id.empty()) out.set("run", std::string{run_id});
  return out;
}

bool has_failed(const json::Value& object, const Digest& capsule, std::string_view run_id) {
  if (text_at(object, "/status/rollout/digest") != capsule.text()) return false;
  const auto run = text_at(object, "/status/rollout/run");
  return run.empty() || run == run_id;
}

std::optional<std::string> left_alone_until(const json::Value& object, Time now) {
  return pause_in(object, roll_out, now);
}

void clear_failed_try(json::Object& object, const std::optional<Digest>& of) {
  auto& status = deploy::member(object, "status");
  if (status.find("rollout") == nullptr) return;
  if (of && text_at(*status.find("rollout"), "/digest") != of->text()) return;
  status.erase("rollout");
  deploy::set_condition(object, {"RolloutFailed", false, "RolledOut"});
}

void set_failed_proof(json::Object& object, const Digest& run_record, const Error& error, Time now) {
  const json::Value before{object};
  if (text_at(before, "/status/lastRun/record") != run_record.text() || is_proved(before)) return;
  deploy::member(object, "status")
      .set(std::string{proof}, next_in(before, proof, "runRecord", run_record.text(), error.kind(), now));
  deploy::set_proof_failed(object, error);
}

bool has_failed_proof(const json::Value& object, const Digest& run_record) {
  return text_of_status(object, proof, "runRecord") == run_record.text();
}

std::optional<std::string> proof_left_alone_until(const json::Value& object, Time now) {
  return pause_in(object, proof, now);
}

void clear_failed_proof(json::Object& object, const Digest& run_record) {
  if (text_at(json::Value{object}, "/status/lastRun/record") != run_record.text()) return;
  deploy::member(object, "status").erase(std::string{proof});
  deploy::take_back_proof_failed(object);
}

}  // namespace capsule::cluster
