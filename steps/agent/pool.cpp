#include "pool.hpp"

#include <algorithm>

#include "crypto/hash.hpp"
#include "deploy/run_outcome.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr auto look_while_loading = 20ms;
constexpr auto look_while_ready = 500ms;
/// A process that dies while it waits is replaced so often; one that never got ready would say the same again.
constexpr unsigned max_failures = 3;
constexpr std::string_view lost =
    "the agent was started anew after this run was claimed: its container had ended, as for want of memory; the pod's "
    "status says why";
constexpr std::size_t max_log_lines = 201;  // one more than is shown, so that it is seen that there are more

bool has_failed(const std::optional<json::Value>& outcome) {
  return outcome && outcome->at_pointer("/failure") != nullptr;
}

std::string digest_of(const json::Value& input) {
  return crypto::sha256(json::canonical(input)).text();
}

}  // namespace

Pool::Pool(deploy::Workload workload, PoolSize size)
    : m_workload(std::move(workload)), m_size(std::move(size)), m_claims(m_size.claims) {
  for (const auto& claimed : m_claims.list()) {
    if (run_named(claimed.run_id) != nullptr) continue;
    m_runs.emplace_back(Run{claimed.run_id,
                            claimed.input_digest,
                            {},
                            deploy::to_json(Error{ErrorKind::capsule_failed, std::string{lost}}),
                            {}});
  }
  m_keeper = std::thread{[this] { keep_filled(); }};
}

Pool::~Pool() {
  {
    const std::lock_guard lock{m_mutex};
    m_ending = true;
    m_changed.notify_all();
    for (auto& run : m_runs) {
      if (run.process) run.process->cancel();
    }
  }
  m_keeper.join();
  m_waiting.clear();
  for (auto& run : m_runs) {
    if (run.thread.joinable()) run.thread.join();
  }
}

void Pool::keep_filled() {
  std::unique_lock lock{m_mutex};
  while (!m_ending) {
    look_after_waiting();
    // What runs has the processors: the pool is filled again afterwards.
    if (!m_cold && m_running == 0 &&
        m_waiting.size() < std::min(m_size.replicas, runs_left().value_or(m_size.replicas))) {
      try {
        m_waiting.push_back(std::make_unique<WaitingRun>(m_workload));
        continue;
      } catch (const Error& error) {
        m_cold = error.message();
      }
    }
    const bool all_ready =
        std::all_of(m_waiting.begin(), m_waiting.end(), [](const auto& one) { return one->is_ready(); });
    m_changed.wait_for(lock, all_ready ? look_while_ready : look_while_loading);
  }
}

void Pool::look_after_waiting() {
  for (auto it = m_waiting.begin(); it != m_waiting.end();) {
    const auto failure = (*it)->failure();
    if (!failure) {
      ++it;
      continue;
    }
    log::warning(*failure);
    const bool was_ready = (*it)->is_ready();
    it = m_waiting.erase(it);
    if (was_ready && ++m_failures < max_failures) continue;
    m_cold = *failure;
    m_changed.notify_all();
  }
}

PoolState Pool::state() {
  const std::lock_guard lock{m_mutex};
  const auto ready = std::count_if(m_waiting.begin(), m_waiting.end(), [](const auto& one) { return one->is_ready(); });
  const bool has_run = runs_left() != 0U;
  return {static_cast<unsigned>(ready),
          m_size.replicas,
          m_cold,
          runs_left(),
          has_run && (ready > 0 || reason_for_cold()),
          m_running > 0};
}

std::optional<unsigned> Pool::runs_left() const {
  if (!m_size.runs) return std::nullopt;
  const auto claimed = static_cast<unsigned>(m_claims.list().size());
  return *m_size.runs - std::min(*m_size.runs, claimed);
}

/// Why a run's process would be started for it now; nothing where none would be.
std::optional<std::string> Pool::reason_for_cold() const {
  if (m_running != 0) return std::nullopt;
  if (m_size.replicas == 0) return "no process is asked to wait";
  return m_size.runs ? m_cold : std::nullopt;
}

Pool::Run* Pool::run_named(const std::string& run_id) {
  const auto it = std::find_if(m_runs.begin(), m_runs.end(), [&](const Run& run) { return run.run_id == run_id; });
  return it == m_runs.end() ? nullptr : &*it;
}

Pool::Claimed Pool::claim(const Claim& claim) {
  const std::lock_guard lock{m_mutex};
  const auto digest = digest_of(claim.input);
  const auto* before = run_named(claim.run_id);
  if (before != nullptr && before->input_digest != digest) return Claimed::conflict;
  const bool is_used = runs_left() == 0U;
  if (before != nullptr && (is_used || !has_failed(before->outcome))) return Claimed::before;
  if (is_used) return Claimed::used;
  const auto it = std::find_if(m_waiting.begin(), m_waiting.end(),
                               [](const auto& one) { return one->is_ready() && !one->failure(); });
  if (it == m_waiting.end() && !reason_for_cold()) return Claimed::none_ready;
  if (m_size.runs) m_claims.add({claim.run_id, digest});
  if (before != nullptr) forget(claim.run_id);
  forget_old_runs();
  auto& run = m_runs.emplace_back(Run{claim.run_id, digest, {}, {}, {}});
  if (it != m_waiting.end()) {
    run.process = std::move(*it);
    m_waiting.erase(it);
  } else {
    run.cold = *reason_for_cold();
  }
  m_failures = 0;
  ++m_running;
  run.thread = std::thread{[this, &run, claim] { serve(run, claim); }};
  return Claimed::yes;
}

void Pool::forget(const std::string& run_id) {
  m_runs.remove_if([&](Run& run) {
    if (run.run_id != run_id) return false;
    if (run.thread.joinable()) run.thread.join();
    return true;
  });
}

void Pool::forget_old_runs() {
  for (auto it = m_runs.begin(); it != m_runs.end() && m_runs.size() >= kept_runs;) {
    if (!it->outcome) {
      ++it;
      continue;
    }
    if (it->thread.joinable()) it->thread.join();
    it = m_runs.erase(it);
  }
}

std::unique_ptr<WaitingRun> Pool::started_cold() const {
  try {
    return std::make_unique<WaitingRun>(m_workload, WaitingRun::Start::cold);
  } catch (const Error& error) {
    throw deploy::cannot_start(m_workload.entrypoint, error);
  }
}

deploy::RunOutcome Pool::outcome_of(Run& run, const Claim& claim) {
  if (!run.cold.empty()) {
    auto process = started_cold();
    const std::lock_guard lock{m_mutex};
    if (m_ending) throw Error{ErrorKind::capsule_failed, "the agent ends"};
    run.process = std::move(process);
  }
  const auto finished = run.process->run(claim.input, claim.time_limit);
  deploy::RunOutcome out{deploy::facts_of(m_workload, finished),
                         deploy::first_lines(finished.process.error_output, max_log_lines)};
  if (run.cold.empty())
    out.facts.start = {deploy::RunStart::Mode::warm, "a process waited for it"};
  else
    out.facts.start = {deploy::RunStart::Mode::cold, run.cold};
  return out;
}

void Pool::serve(Run& run, const Claim& claim) {
  json::Value outcome;
  try {
    outcome = to_json(outcome_of(run, claim));
  } catch (const Error& error) {
    outcome = deploy::to_json(error);
  } catch (const std::exception& error) {
    outcome = deploy::to_json(Error{ErrorKind::capsule_failed, error.what()});
  }
  const std::lock_guard lock{m_mutex};
  run.outcome = std::move(outcome);
  --m_running;
  m_changed.notify_all();
}

std::optional<json::Value> Pool::find(const std::string& run_id, std::chrono::milliseconds patience) {
  std::unique_lock lock{m_mutex};
  if (run_named(run_id) == nullptr) return std::nullopt;
  const auto is_over = [&] {
    const auto* run = run_named(run_id);
    return run == nullptr || run->outcome || m_ending;
  };
  m_changed.wait_for(lock, patience, is_over);
  const auto* run = run_named(run_id);
  if (run == nullptr) return std::nullopt;
  json::Object out{{"run_id", run_id}, {"state", run->outcome ? "done" : "running"}};
  if (run->outcome) out.set("outcome", *run->outcome);
  return out;
}

}  // namespace agent
