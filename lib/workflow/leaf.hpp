#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/time.hpp"
#include "workflow/executor.hpp"
#include "workflow/runner.hpp"
#include "workflow/scope.hpp"

namespace capsule::workflow {

/// Runs one container template: puts paths and values in, executes with retries, reads the outputs.
class Leaf {
 public:
  struct Place {
    const Library::Resolved& resolved;
    const std::string& node;
    std::chrono::steady_clock::time_point deadline;
  };
  struct Tools {
    RunState& state;
    Executor& executor;
    Resume resume;
    const fs::Path& state_folder;
  };
  /// Told before each attempt, and for each line of stderr.
  struct Reports {
    std::function<void(unsigned attempt, const std::string& last_message)> attempt;
    std::function<void(std::string_view)> line;
  };

  static Outcome run(const Place& place, const Scope& scope, const Tools& tools, const Reports& reports);
};

}  // namespace capsule::workflow
