#include "deploy/run_outcome.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_line = 400;
constexpr std::size_t max_failure_bytes = 1000;  // of one line; it is passed on in conditions and Events

json::Array array_of(const std::vector<std::string>& texts) {
  json::Array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

std::vector<std::string> texts_in(const json::Cursor& array) {
  std::vector<std::string> out;
  for (const auto& element : array.elements()) out.push_back(element.string());
  return out;
}

RunStart start_in(const json::Cursor& outcome) {
  const auto start = outcome.optional("start");
  if (!start) return {};
  const bool is_warm = start->at("mode").string() == "warm";
  return {is_warm ? RunStart::Mode::warm : RunStart::Mode::cold, start->at("reason").string()};
}

}  // namespace

std::vector<std::string> first_lines(std::string_view text, std::size_t count) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < count) {
    const auto line = text.substr(0, text.find('\n'));
    out.push_back(printable(line, max_line));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return out;
}

json::Value to_json(const RunOutcome& outcome) {
  const auto& facts = outcome.facts;
  json::Object out{{"started_at", format_time(facts.started_at)},
                   {"finished_at", format_time(facts.finished_at)},
                   {"result_ms", facts.result_ms},
                   {"exit_code", facts.exit_code},
                   {"result", facts.result},
                   {"cpu_ms", facts.cpu_ms},
                   {"max_rss_bytes", facts.max_rss_bytes},
                   {"confinement", facts.confinement},
                   {"log_digest", facts.log_digest.text()},
                   {"log", array_of(outcome.log)},
                   {"start", json::Object{{"mode", facts.start.mode == RunStart::Mode::warm ? "warm" : "cold"},
                                          {"reason", facts.start.reason}}}};
  if (!facts.energy_estimated) out.set("energy_joules", facts.energy_joules);
  return out;
}

json::Value to_json(const Error& failure) {
  return json::Object{{"failure", json::Object{{"kind", name_of(failure.kind())}, {"message", failure.message()}}}};
}

void throw_failure(const json::Cursor& value) {
  const auto failure = value.optional("failure");
  if (!failure) return;
  const bool timed_out = failure->at("kind").string() == name_of(ErrorKind::timed_out);
  throw Error{timed_out ? ErrorKind::timed_out : ErrorKind::capsule_failed,
              printable(failure->at("message").string(), max_failure_bytes)};
}

RunOutcome outcome_from(const json::Cursor& value, double watts) {
  throw_failure(value);
  static_cast<void>(value.at("result").object());
  const auto cpu_ms = value.at("cpu_ms").uint64();
  const auto energy = value.optional("energy_joules");
  return {.facts = {.started_at = parse_time(value.at("started_at").string()),
                    .finished_at = parse_time(value.at("finished_at").string()),
                    .result_ms = value.at("result_ms").uint64(),
                    .exit_code = static_cast<int>(value.at("exit_code").int64()),
                    .result = value.at("result").value(),
                    .cpu_ms = cpu_ms,
                    .max_rss_bytes = value.at("max_rss_bytes").uint64(),
                    .energy_joules = energy ? energy->number() : static_cast<double>(cpu_ms) / 1e3 * watts,
                    .energy_estimated = !energy.has_value(),
                    .log_digest = Digest::parse(value.at("log_digest").string()),
                    .confinement = value.at("confinement").value(),
                    .start = start_in(value)},
          .log = texts_in(value.at("log"))};
}

}  // namespace capsule::deploy
