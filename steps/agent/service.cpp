#include "service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "wait_of.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view installing = "install.sh goes on";
constexpr std::string_view used = "Used: this agent has given away every run that it may";
constexpr std::int64_t longest_run_ms = std::int64_t{30} * 24 * 3600 * 1000;
constexpr std::string_view runs_path = "/v1/runs/";

bool is_run_id(std::string_view text) {
  return text.size() == 16 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

serve::Response reply(int status, const json::Value& value) {
  return {status, json::compact(value)};
}

Claim claim_in(const std::string& run_id, const std::string& body) {
  const auto value = json::parse(body, "the run");
  const json::Cursor top{value, "the run"};
  top.allow_only({"parameters", "seed", "budget", "time_limit_ms"});
  static_cast<void>(top.at("parameters").object());
  return {run_id,
          json::Object{{"parameters", top.at("parameters").value()},
                       {"seed", top.at("seed").uint64()},
                       {"budget", top.at("budget").uint64()}},
          std::chrono::milliseconds{std::clamp<std::int64_t>(top.at("time_limit_ms").int64(), 1, longest_run_ms)}};
}

}  // namespace

Service::Service(deploy::Workload workload, Digest capsule, PoolSize size, std::chrono::milliseconds time_limit)
    : m_workload(std::move(workload)),
      m_capsule(std::move(capsule)),
      m_time_limit(time_limit),
      m_size(std::move(size)),
      m_health(m_workload, time_limit) {}

void Service::prepare() {
  deploy::install(m_workload, m_time_limit, [this](std::string_view line) {
    const std::lock_guard lock{m_mutex};
    m_said = printable(line, 400);
  });
  m_owned_pool = std::make_unique<Pool>(m_workload, m_size);
  m_pool = m_owned_pool.get();
}

serve::Response Service::answer(const serve::Request& request) {
  const auto& path = request.target.path;
  const bool is_get = request.method == "GET";
  if (is_get && path == "/healthz") return healthz();
  if (is_get && path == "/readyz") return readyz();
  if (is_get && path == "/v1/pool") return pool();
  if (!path.starts_with(runs_path) || !is_run_id(path.substr(runs_path.size())))
    return serve::refusal(404, "Not found");
  if (!is_get && request.method != "POST") return serve::refusal(405, "Method not allowed");
  if (m_pool == nullptr) return serve::refusal(503, std::string{installing});
  const auto run_id = path.substr(runs_path.size());
  return is_get ? find(run_id, request) : claim(run_id, request.body);
}

/// What must not be ended is healthy: an installation that goes on, and a result that waits to be fetched.
serve::Response Service::healthz() {
  Pool* const pool = m_pool;
  if (pool == nullptr) return reply(200, json::Object{{"status", "installing"}});
  if (pool->state().runs_left == 0U) return reply(200, json::Object{{"status", "used"}});
  const auto illness = m_health.illness();
  return illness.empty() ? reply(200, json::Object{{"status", "ok"}}) : serve::refusal(503, illness);
}

serve::Response Service::readyz() {
  Pool* const pool = m_pool;
  if (pool == nullptr) return serve::refusal(503, std::string{installing});
  const auto state = pool->state();
  // A ReplicaSet that is to have fewer pods ends those that are not ready first.
  if (state.runs_left == 0U && state.is_at_work) return reply(200, json::Object{{"status", "at work"}});
  if (state.runs_left == 0U) return serve::refusal(503, std::string{used});
  if (!state.takes_run)
    return serve::refusal(503, state.cold ? fmt::format("No process waits: {}", *state.cold) : "No process waits");
  const auto illness = m_health.illness();
  return illness.empty() ? reply(200, json::Object{{"status", "ok"}}) : serve::refusal(503, illness);
}

serve::Response Service::pool() {
  Pool* const pool = m_pool;
  PoolState state{.replicas = m_size.replicas, .cold = {}, .runs_left = m_size.runs};
  if (pool != nullptr) state = pool->state();
  const auto* phase = pool == nullptr ? "installing" : state.runs_left == 0U ? "used" : "waiting";
  const auto illness = m_health.last_illness();
  std::string said;
  if (pool == nullptr) {
    const std::lock_guard lock{m_mutex};
    said = m_said;
  }
  return reply(200, json::Object{{"capsule", m_capsule.text()},
                                 {"phase", phase},
                                 {"replicas", state.replicas},
                                 {"ready", state.ready},
                                 {"cold", state.cold ? json::Value{*state.cold} : json::Value{}},
                                 {"runs_left", state.runs_left ? json::Value{*state.runs_left} : json::Value{}},
                                 {"illness", illness.empty() ? json::Value{} : json::Value{illness}},
                                 {"said", said.empty() ? json::Value{} : json::Value{said}}});
}

serve::Response Service::claim(const std::string& run_id, const std::string& body) {
  Claim wanted;
  try {
    wanted = claim_in(run_id, body);
  } catch (const Error& error) {
    return serve::refusal(422, error.message());
  }
  Pool& pool = *m_pool;
  auto claimed = Pool::Claimed::none_ready;
  try {
    claimed = pool.claim(wanted);
  } catch (const Error& error) {
    return serve::refusal(503, fmt::format("The run cannot be noted, so it is not begun: {}", error.message()));
  }
  switch (claimed) {
    case Pool::Claimed::yes:
      return reply(202, *pool.find(run_id, 0ms));
    case Pool::Claimed::before:
      if (auto run = pool.find(run_id, 0ms)) return reply(200, *run);
      break;
    case Pool::Claimed::conflict:
      return serve::refusal(409, "This run has another input");
    case Pool::Claimed::used:
      return serve::refusal(503, std::string{used});
    case Pool::Claimed::none_ready:
      break;
  }
  return serve::refusal(503, "No process waits");
}

serve::Response Service::find(const std::string& run_id, const serve::Request& request) {
  const auto run = m_pool.load()->find(run_id, wait_of(request));
  return run ? reply(200, *run) : serve::refusal(404, "No such run");
}

}  // namespace agent
