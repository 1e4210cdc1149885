#include "deploy/workload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/energy.hpp"
#include "deploy/sandbox.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "process/volume_watch.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_result_bytes = std::size_t{16} << 20U;
constexpr std::size_t max_logged_lines = 200;
constexpr auto* install_script = "scripts/install.sh";
constexpr auto* health_script = "scripts/healthcheck.sh";

[[noreturn]] void failed(std::string_view what, const process::Result& result) {
  const auto kind = result.end == process::End::timed_out ? ErrorKind::timed_out : ErrorKind::capsule_failed;
  throw Error{kind, fmt::format("the capsule's {} failed, {}", what, describe_failure(result))};
}

/// The result is the last line of stdout, one JSON object.
json::Value result_in(std::string_view output, const std::string& entrypoint) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  const auto line = output.substr(output.rfind('\n') + 1);
  const auto fail = [&](std::string_view reason) {
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the last line of {}'s stdout is not its result, one JSON object: {}", entrypoint, reason)};
  };
  if (line.empty()) fail("there is none");
  json::Value value;
  try {
    value = json::parse(line, "the result", {max_result_bytes, 32});
    json::Cursor{value, "the result"}.require_exact_integers();  // the record is canonical: it would say another number
  } catch (const Error& error) {
    fail(error.message());
  }
  if (!value.is_object()) fail(fmt::format("it is {}", value.type_name()));
  return value;
}

template <typename Work>
decltype(auto) starting(const std::string& file, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw cannot_start(file, error);
  }
}

std::optional<process::Volume> volume_of(const Workload& workload) {
  if (!workload.data_size) return std::nullopt;
  return process::Volume{workload.data.string(), *workload.data_size};
}

process::Command command_for(const Workload& workload, const std::string& file) {
  require_passable(workload.root);
  return starting(file, [&] {
    return capsule_command({.root = workload.root,
                            .file = file,
                            .data = workload.data,
                            .memory = workload.memory,
                            .volume = volume_of(workload)});
  });
}

/// Nothing where there is no such script.
std::optional<process::Result> run_script(const Workload& workload, const std::string& script,
                                          std::chrono::milliseconds time_limit,
                                          const std::function<void(std::string_view)>& on_error_line = {}) {
  if (!std::filesystem::exists(workload.root / script)) return std::nullopt;
  auto command = command_for(workload, script);
  command.on_error_line = [log = excerpt_of(script), on_error_line](std::string_view line) {
    log(line);
    if (on_error_line) on_error_line(line);
  };
  command.time_limit = time_limit;
  return starting(script, [&] { return process::run(command); });
}

/// What it wrote last, too: it may have ended before that was seen.
void hold_against_volume(const Workload& workload, process::Result& result) {
  const auto volume = volume_of(workload);
  if (!volume || result.end != process::End::exited) return;
  result.full = process::VolumeWatch::overfull_now(*volume);
  if (result.full) result.end = process::End::volume_limit;
}

json::Array strings(const std::vector<std::string>& list) {
  json::Array out;
  for (const auto& text : list) out.emplace_back(text);
  return out;
}

/// What held of the confinement, and what was not to be had: the record says both.
json::Value confinement_of(const process::Result& result) {
  return json::Object{{"held", strings(result.held)}, {"missing", strings(result.missing)}};
}

}  // namespace

Error cannot_start(const std::string& file, const Error& error) {
  if (retry_helps(error.kind()) || error.kind() == ErrorKind::unmet_requirement) return error;
  return {ErrorKind::capsule_failed, fmt::format("the capsule's {} cannot be started: {}", file, error.message())};
}

std::function<void(std::string_view)> excerpt_of(const std::string& what) {
  return [what, count = std::size_t{0}](std::string_view line) mutable {
    if (count < max_logged_lines) log::info(fmt::format("{}: {}", what, printable(line, 400)));
    if (count == max_logged_lines)
      log::info(fmt::format("{}: … the lines after the first {} are left out", what, count));
    ++count;
  };
}

void install(const Workload& workload, std::chrono::milliseconds time_limit,
             const std::function<void(std::string_view)>& on_error_line) {
  if (std::filesystem::exists(workload.installed)) return;
  if (auto result = run_script(workload, install_script, time_limit, on_error_line)) {
    hold_against_volume(workload, *result);
    if (workload.data_size && result->full) empty_folder(workload.data);
    if (!result->succeeded()) failed(install_script, *result);
  }
  std::filesystem::create_directories(workload.installed.parent_path());
  fs::write_file(workload.installed, "");
}

void check_health(const Workload& workload, std::chrono::milliseconds time_limit) {
  const auto result = run_script(workload, health_script, time_limit);
  if (result && !result->succeeded()) failed(health_script, *result);
}

process::Command runner_command(const Workload& workload) {
  auto command = command_for(workload, workload.entrypoint);
  command.output_limit = max_result_bytes;
  return command;
}

void note_end(Finished& run, std::chrono::steady_clock::time_point started, process::Result result) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  run.finished_at = now() - duration_cast<milliseconds>(std::chrono::steady_clock::now() - result.ended_at);
  run.until_result = std::max(duration_cast<milliseconds>(result.last_output_at - started), milliseconds{0});
  run.process = std::move(result);
}

RunFacts facts_of(const Workload& workload, const Finished& run) {
  const auto& process = run.process;
  if (!process.succeeded()) failed(fmt::format("run of {}", workload.entrypoint), process);
  return {.started_at = run.started_at,
          .finished_at = run.finished_at,
          .result_ms = static_cast<std::uint64_t>(run.until_result.count()),
          .exit_code = process.exit_code,
          .result = result_in(process.output, workload.entrypoint),
          .cpu_ms = static_cast<std::uint64_t>(process.usage.cpu.count()),
          .max_rss_bytes = process.usage.max_rss_bytes,
          .energy_joules = run.energy_joules,
          .energy_estimated = run.energy_estimated,
          .log_digest = crypto::sha256(process.error_output),
          .confinement = confinement_of(process)};
}

Finished run_to_end(const Workload& workload, const json::Value& input, std::chrono::milliseconds time_limit,
                    double watts, std::function<void(std::string_view)> on_error_line) {
  auto command = runner_command(workload);
  command.on_error_line = std::move(on_error_line);
  command.time_limit = time_limit;
  command.input = json::compact(input) + "\n";
  const EnergyMeter meter{watts};
  Finished run;
  run.started_at = now();
  const auto started = std::chrono::steady_clock::now();
  note_end(run, started, starting(workload.entrypoint, [&] { return process::run(command); }));
  const auto energy = meter.stop(run.process.usage.cpu);
  run.energy_joules = energy.joules;
  run.energy_estimated = energy.estimated;
  return run;
}

RunFacts run_cold(const Workload& workload, const json::Value& input, std::chrono::milliseconds time_limit,
                  double watts) {
  return facts_of(workload, run_to_end(workload, input, time_limit, watts, excerpt_of("run")));
}

}  // namespace capsule::deploy
