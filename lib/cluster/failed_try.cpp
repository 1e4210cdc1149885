#include "cluster/failed_try.hpp"

#include <algorithm>
#include <chrono>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"

namespace capsule::cluster {

namespace {

constexpr std::chrono::minutes first_pause{60};
constexpr std::chrono::minutes first_pause_of_what_passes{5};

/// How often this capsule has failed before.
std::int64_t failures_of(const json::Value& object, const std::string& capsule) {
  const auto* count = object.at_pointer("/status/rollout/count");
  if (text_at(object, "/status/rollout/digest") != capsule || count == nullptr || count->if_number() == nullptr)
    return 0;
  return static_cast<std::int64_t>(std::clamp(json::to_double(*count->if_number()), 0.0, 1e6));
}

}  // namespace

json::Object next_failure(const json::Value& object, const std::string& capsule, ErrorKind kind,
                          std::string_view run_id, Time now) {
  const auto before = failures_of(object, capsule);
  const auto count = before > 0 && left_alone_until(object, now) ? before : before + 1;
  auto pause = retry_helps(kind) ? first_pause_of_what_passes : first_pause;
  for (std::int64_t i = 1; i < count && pause < longest_pause; ++i) pause *= 2;
  json::Object out{{"digest", capsule},
                   {"count", count},
                   {"retryAfter", format_time(now + std::min<std::chrono::minutes>(pause, longest_pause))}};
  if (!run_id.empty()) out.set("run", std::string{run_id});
  return out;
}

bool has_failed(const json::Value& object, const Digest& capsule, std::string_view run_id) {
  if (text_at(object, "/status/rollout/digest") != capsule.text()) return false;
  const auto run = text_at(object, "/status/rollout/run");
  return run.empty() || run == run_id;
}

std::optional<std::string> left_alone_until(const json::Value& object, Time now) {
  auto until = text_at(object, "/status/rollout/retryAfter");
  try {
    const auto time = parse_time(until);
    if (time > now && time <= now + longest_pause) return until;  // later than that: none that we wrote
  } catch (const Error&) {
    return std::nullopt;  // whoever wrote that
  }
  return std::nullopt;
}

void clear_failed_try(json::Object& object, const std::optional<Digest>& of) {
  auto& status = deploy::member(object, "status");
  if (status.find("rollout") == nullptr) return;
  if (of && text_at(*status.find("rollout"), "/digest") != of->text()) return;
  status.erase("rollout");
  deploy::set_condition(object, {"RolloutFailed", false, "RolledOut"});
}

}  // namespace capsule::cluster
