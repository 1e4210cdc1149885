#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/fd.hpp"
#include "json/value.hpp"
#include "log/progress.hpp"

namespace capsule::step {

/// One output parameter of a step, as its help and its README list it.
struct Output {
  std::string name;  ///< kebab-case: the file name under --outputs; with '_' for '-' the key in the result
  std::string text;  ///< what it is, one line
};

/// What the help says beyond the options.
struct Manual {
  std::vector<Output> outputs;
  std::string example;          ///< one worked example, as typed
  std::vector<int> exit_codes;  ///< those beside 0, 1 and 2 that this step can end with
  std::vector<std::pair<std::string, std::string>> subcommands{};  ///< name, and one worked example
};

/// What a running step gives back, and where.
class Context {
 public:
  /// One output parameter: a file under --outputs (without a newline) and a member of the result. The name must be in
  /// the manual.
  void output(std::string_view name, std::string_view value);
  /// An output whose name is the workflow's, not this program's: otherwise like output(). Its name becomes a file name,
  /// so it must be one path component.
  void forwarded_output(std::string_view name, std::string_view value);
  /// A member of the result alone (stdout and report.json), for what is no parameter.
  void result(std::string_view key, json::Value value);
  /// What a person on a terminal sees instead of the JSON object; several lines are fine. Without it the outputs are
  /// listed.
  void summary(std::string text);
  [[nodiscard]] log::Progress& progress() const { return log::process_progress(); }

 private:
  friend int run(CLI::App&, const Manual&, int, char**, const std::function<void(Context&)>&);
  std::vector<Output> m_outputs;
  json::Object m_result;
  std::vector<std::pair<std::string, std::string>> m_files;
  std::string m_summary;
};

/// The one boundary of a process. Adds --help, --version, --output, --outputs; gives every option its environment
/// variable CAPSULE_<OPTION>; reads `@FILE` values; drops empty arguments, and `--option=` with an empty value; sets
/// umask 022 (not below a user's own, but for root); on SIGTERM or SIGINT removes temporaries, ends children and dies
/// of the signal; runs `work`; prints the result on stdout (JSON, or a summary on a terminal), writes --outputs
/// (report.json last, also after a failure or a refusal of the arguments: what was known by then; what an earlier run
/// left there is removed), and turns an Error into one line on stderr, the termination message of a pod
/// (/dev/termination-log, if there) and the exit code of its kind. Returns the exit code.
int run(CLI::App& app, const Manual& manual, int argc, char** argv, const std::function<void(Context&)>& work);

/// The folder that holds state between runs: `/var/lib/capsule-loop` for root, else `$XDG_STATE_HOME/capsule-loop` or
/// `~/.local/state/capsule-loop`. Error usage where there is no home.
fs::Path default_state_folder();

/// Adds --state DIR with that default.
CLI::Option* add_state_option(CLI::App& app, fs::Path& state);

/// Called when SIGTERM or SIGINT ends the process, after temporaries are removed: for child processes. Registered by
/// the process module's users.
void on_termination(std::function<void()> action);

/// In such an action, for a server that answers what it was asked and then ends by itself: waits for SIGTERM or SIGINT
/// once more, of somebody who does not want to wait, or for the time to pass.
void wait_for_another_signal(std::chrono::milliseconds patience);

}  // namespace capsule::step
