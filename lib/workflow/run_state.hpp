#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "fs/lock.hpp"

namespace capsule::workflow {

enum class Phase { pending, running, succeeded, failed, error, skipped, omitted };
std::string_view name_of(Phase phase) noexcept;  ///< Argo's words: "Succeeded", …

/// How a node ended.
struct Outcome {
  Phase phase = Phase::pending;
  int exit_code = 0;
  std::string message;
  std::map<std::string, std::string> outputs;
  std::string failed_node{};  ///< of a failure: the leaf whose it is

  [[nodiscard]] bool good() const noexcept {
    return phase == Phase::succeeded || phase == Phase::skipped || phase == Phase::omitted;
  }
};

/// What a run has done so far, durable: `STATE/runs/<id>/`. One process at a time. Arguments and outputs are for the
/// user alone to read (`workflow.json`, `nodes/`).
class RunState {
 public:
  /// Error busy when the run is in progress; conflict, here and below, where something else lies in a folder's place.
  RunState(const fs::Path& state_folder, const std::string& run_id);

  [[nodiscard]] const fs::Path& folder() const noexcept { return m_folder; }
  /// The folder of an emptyDir, which all steps of the run share; made where it is missing.
  fs::Path volume(const std::string& name) const;
  /// A folder of the node's own, made empty.
  fs::Path fresh_outputs(const std::string& node);
  fs::Path outputs(const std::string& node) const;

  /// What the node came to with exactly these inputs, if it succeeded.
  [[nodiscard]] std::optional<Outcome> succeeded(const std::string& node, const Digest& inputs) const;
  void remember(const std::string& node, const Digest& inputs, const Outcome& outcome);
  /// The workflow as a whole, for people and for --resume.
  void remember_workflow(std::string_view text);

 private:
  [[nodiscard]] fs::Path node_folder(const std::string& node) const;
  fs::Path m_folder;
  std::unique_ptr<fs::FileLock> m_lock;
};

}  // namespace capsule::workflow
