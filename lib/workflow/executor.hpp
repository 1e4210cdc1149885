#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fs/fd.hpp"

namespace capsule::workflow {

/// One execution of a step's program, all paths and values put in.
struct StepCommand {
  std::string program;  ///< base name, e.g. "capsule-pack"
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::optional<std::chrono::milliseconds> time_limit;
};

struct StepResult {
  int exit_code = 0;  ///< 128 + n for signal n, as a container's status has it
  bool timed_out = false;
  std::string message;  ///< the last line of stderr of a failure
};

/// What runs a step: a process on this machine; for the cluster's tests a pod.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;
  /// Called from several threads at once. `on_line` gets each line of stderr.
  virtual StepResult execute(const StepCommand& command, const std::function<void(std::string_view)>& on_line) = 0;
};

/// Runs `<folder>/<program>`; never looks in PATH. A program that is not there is Error usage.
class ProcessExecutor final : public Executor {
 public:
  /// `passed_on`: variables of our environment that steps see, beside those that each of them does.
  explicit ProcessExecutor(fs::Path folder, std::vector<std::string> passed_on = {})
      : m_folder(std::move(folder)), m_passed_on(std::move(passed_on)) {}
  StepResult execute(const StepCommand& command, const std::function<void(std::string_view)>& on_line) override;

 private:
  fs::Path m_folder;
  std::vector<std::string> m_passed_on;
};

}  // namespace capsule::workflow
