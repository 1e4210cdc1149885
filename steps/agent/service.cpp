#include "service.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr auto health_lasts = 30s;
constexpr std::int64_t longest_wait_ms = 20'000;
constexpr std::int64_t longest_run_ms = std::int64_t{30} * 24 * 3600 * 1000;
constexpr std::string_view runs_path = "/v1/runs/";

bool is_run_id(std::string_view text) {
  return text.size() == 16 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

serve::Response reply(int status, const json::Value& value) {
  return {status, json::compact(value)};
}

/// How long the caller waits for the end of a run.
std::chrono::milliseconds wait_of(const serve::Request& request) {
  const auto found = request.target.query.find("wait_ms");
  if (found == request.target.query.end()) return 0ms;
  std::int64_t wait = 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), wait);
  return std::chrono::milliseconds{std::clamp<std::int64_t>(wait, 0, longest_wait_ms)};
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

Service::Service(deploy::Workload workload, Digest capsule, unsigned replicas, std::chrono::milliseconds time_limit)
    : m_workload(std::move(workload)),
      m_capsule(std::move(capsule)),
      m_time_limit(time_limit),
      m_pool(m_workload, replicas) {}

serve::Response Service::answer(const serve::Request& request) {
  const auto& path = request.target.path;
  const bool is_get = request.method == "GET";
  if (is_get && path == "/healthz") return probe(false);
  if (is_get && path == "/readyz") return probe(true);
  if (is_get && path == "/v1/pool") return pool();
  if (!path.starts_with(runs_path) || !is_run_id(path.substr(runs_path.size())))
    return serve::refusal(404, "Not found");
  const auto run_id = path.substr(runs_path.size());
  if (is_get) return find(run_id, request);
  if (request.method == "POST") return claim(run_id, request.body);
  return serve::refusal(405, "Method not allowed");
}

serve::Response Service::probe(bool with_pool) {
  if (with_pool && m_pool.state().ready == 0) return serve::refusal(503, "No process waits");
  const std::lock_guard lock{m_health_mutex};
  if (!m_health_asked || std::chrono::steady_clock::now() - *m_health_asked > health_lasts) {
    m_illness.clear();
    try {
      deploy::check_health(m_workload, m_time_limit);
    } catch (const Error& error) {
      m_illness = error.message();
    }
    m_health_asked = std::chrono::steady_clock::now();
  }
  return m_illness.empty() ? reply(200, json::Object{{"status", "ok"}}) : serve::refusal(503, m_illness);
}

serve::Response Service::pool() {
  const auto state = m_pool.state();
  return reply(200, json::Object{{"capsule", m_capsule.text()},
                                 {"replicas", state.replicas},
                                 {"ready", state.ready},
                                 {"cold", state.cold ? json::Value{*state.cold} : json::Value{}}});
}

serve::Response Service::claim(const std::string& run_id, const std::string& body) {
  Claim wanted;
  try {
    wanted = claim_in(run_id, body);
  } catch (const Error& error) {
    return serve::refusal(422, error.message());
  }
  switch (m_pool.claim(wanted)) {
    case Pool::Claimed::yes:
      return reply(202, *m_pool.find(run_id, 0ms));
    case Pool::Claimed::before:
      if (auto run = m_pool.find(run_id, 0ms)) return reply(200, *run);
      break;
    case Pool::Claimed::conflict:
      return serve::refusal(409, "This run has another input");
    case Pool::Claimed::none_ready:
      break;
  }
  return serve::refusal(503, "No process waits");
}

serve::Response Service::find(const std::string& run_id, const serve::Request& request) {
  const auto run = m_pool.find(run_id, wait_of(request));
  return run ? reply(200, *run) : serve::refusal(404, "No such run");
}

}  // namespace agent
