#pragma once

#include <chrono>
#include <string>

#include "core/error.hpp"
#include "deploy/run_record.hpp"
#include "fs/fd.hpp"
#include "process/process.hpp"

namespace capsule::deploy {

/// An unpacked capsule and where its code may write: what install.sh, healthcheck.sh and the entrypoint run in,
/// confined (deploy/sandbox.hpp), with limits on time and output.
struct Workload {
  fs::Path root;
  std::string entrypoint;  ///< below root
  fs::Path data;           ///< its CAPSULE_DATA
  fs::Path installed;      ///< a file that says that install.sh is done; not below data: the capsule cannot make it
  std::optional<std::uint64_t> memory{};     ///< bytes that its manifest asks for
  std::optional<std::uint64_t> data_size{};  ///< bytes that data may hold; none: only the disk's reserve counts
};

/// Runs scripts/install.sh, where there is one, unless it is done. Error capsule_failed with the script's last words;
/// timed_out. With a `data_size`, one that wrote more than that, or all that the disk takes, leaves nothing in data:
/// the next try finds it as this one did, and nobody else has to take the pod away. `on_error_line` as process::Command
/// has it.
void install(const Workload& workload, std::chrono::milliseconds time_limit,
             const std::function<void(std::string_view)>& on_error_line = {});

/// Runs scripts/healthcheck.sh, where there is one. Errors as install().
void check_health(const Workload& workload, std::chrono::milliseconds time_limit);

/// The entrypoint's command, without input and time limit. Errors: capsule_failed where it cannot be started,
/// unmet_requirement where its interpreter is missing.
process::Command runner_command(const Workload& workload);

/// What it means that a file of the capsule does not start: no such interpreter, no `#!` line or a broken ELF file are
/// the capsule's own fault (capsule_failed); what may pass by itself is not.
Error cannot_start(const std::string& file, const Error& error);

/// A run of the entrypoint that is over.
struct Finished {
  Time started_at;
  Time finished_at;
  std::chrono::milliseconds until_result{};  ///< from the start until the last of stdout had come
  process::Result process;
  double energy_joules = 0;
  bool energy_estimated = true;
};

/// Notes what a command left that was begun at `started`: takes the clock's word for its end at once.
void note_end(Finished& run, std::chrono::steady_clock::time_point started, process::Result result);

/// What is recorded of it. Error capsule_failed when it failed or gave no result (the last line of stdout, one JSON
/// object), timed_out.
RunFacts facts_of(const Workload& workload, const Finished& run);

/// One run in a process of its own that is started now. `watts`: of one busy core, where the processor does not measure
/// energy. Errors as runner_command().
Finished run_to_end(const Workload& workload, const json::Value& input, std::chrono::milliseconds time_limit,
                    double watts, std::function<void(std::string_view)> on_error_line);

/// The same, logged and with what is recorded of it. Errors as facts_of(), too.
RunFacts run_cold(const Workload& workload, const json::Value& input, std::chrono::milliseconds time_limit,
                  double watts);

/// Logs what capsule code said on stderr, one line a call, up to a number of lines: it may talk without end.
std::function<void(std::string_view)> excerpt_of(const std::string& what);

}  // namespace capsule::deploy
