#pragma once

#include "deploy/run_record.hpp"
#include "json/cursor.hpp"

namespace capsule::deploy {

/// What a warm pool's agent says of a run that is over: GET /v1/runs/<run_id>, member `outcome`.
struct RunOutcome {
  RunFacts facts;
  std::vector<std::string> log;  ///< the first lines of the runner's stderr, fit for a terminal
};

/// At most `count` lines of a text, each made fit for a terminal and cut at 400 bytes.
std::vector<std::string> first_lines(std::string_view text, std::size_t count);

/// {started_at, finished_at, exit_code, result, cpu_ms, max_rss_bytes, energy_joules (only where measured),
/// confinement, log_digest, log, start}.
json::Value to_json(const RunOutcome& outcome);
/// {failure: {kind, message}}.
json::Value to_json(const Error& failure);

/// A failure is thrown as the Error that it was: capsule_failed or timed_out. Error invalid_input for what has another
/// form.
void throw_failure(const json::Cursor& value);

/// Reads either; a failure is thrown as throw_failure() does. `watts`: of one busy core,
/// for the energy where it was not measured. Error invalid_input for what has another form.
RunOutcome outcome_from(const json::Cursor& value, double watts);

}  // namespace capsule::deploy
