#include "waiting_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "deploy/energy.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds cancel_delay{100};

/// `{"ready":true}`, with whatever else the runner wants to say.
bool says_ready(const std::string& line) {
  try {
    const auto value = json::parse(line, "the first line");
    const auto* ready = value.at_pointer("/ready");
    return ready != nullptr && ready->if_bool() != nullptr && *ready->if_bool();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

WaitingRun::WaitingRun(const deploy::Workload& workload, Start start)
    : m_start(start), m_process(command(workload), process::Background::BeyondLimit::end) {}

process::Command WaitingRun::command(const deploy::Workload& workload) {
  auto out = deploy::runner_command(workload);
  out.input_later = true;
  if (m_start == Start::cold) return out;
  out.environment.emplace("CAPSULE_WARM", "1");
  out.on_output_line = [this](std::string_view line) {
    const std::lock_guard lock{m_mutex};
    if (m_first_line) return;
    m_first_line = std::string{line};
    m_ready = says_ready(*m_first_line);
  };
  return out;
}

std::optional<std::string> WaitingRun::failure() {
  if (m_process.has_ended(0ms)) {
    const auto left = m_process.stop();
    std::string_view words = left.error_output;
    while (words.ends_with('\n')) words.remove_suffix(1);
    words = words.substr(words.rfind('\n') + 1);
    return fmt::format("the runner ended before a run came, {}{}{}", left.describe(), words.empty() ? "" : ": ",
                       printable(words));
  }
  const std::lock_guard lock{m_mutex};
  if (m_first_line) {
    if (m_ready) return std::nullopt;
    return fmt::format("the runner's first line is not {{\"ready\":true}} but '{}'", printable(*m_first_line, 80));
  }
  if (std::chrono::steady_clock::now() - m_started < patience) return std::nullopt;
  return fmt::format("the runner gave no ready line within {} s", patience.count());
}

deploy::Finished WaitingRun::run(const json::Value& input, std::chrono::milliseconds time_limit) {
  const deploy::EnergyMeter meter{0};
  const auto started = std::chrono::steady_clock::now();
  const auto deadline = started + time_limit;
  deploy::Finished out;
  out.started_at = now();
  m_process.feed(json::compact(input) + "\n", time_limit);
  bool in_time = false;
  while (!in_time && !m_cancelled) {
    const auto left = deadline - std::chrono::steady_clock::now();
    in_time = m_process.has_ended(std::clamp(std::chrono::ceil<std::chrono::milliseconds>(left), 0ms, cancel_delay));
    if (left <= 0ms) break;
  }
  deploy::note_end(out, started, m_process.stop());
  if (!in_time) out.process.end = process::End::timed_out;
  const auto energy = meter.stop(out.process.usage.cpu);
  out.energy_joules = energy.joules;
  out.energy_estimated = energy.estimated;
  if (m_start == Start::cold) return out;
  auto& text = out.process.output;
  const auto ready_line_end = text.find('\n');
  text = ready_line_end == std::string::npos ? std::string{} : text.substr(ready_line_end + 1);
  return out;
}

}  // namespace agent
