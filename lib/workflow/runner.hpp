#pragma once

#include <chrono>
#include <map>
#include <string>

#include "workflow/executor.hpp"
#include "workflow/library.hpp"
#include "workflow/run_state.hpp"

namespace capsule::workflow {

/// One node of the running graph, as a watcher sees it.
struct NodeEvent {
  std::string node;  ///< path of names, e.g. "deploy/deploy"
  std::string name;  ///< the last of them
  std::size_t depth = 0;
  Phase phase = Phase::pending;
  std::string message;
  unsigned attempt = 1;
};

/// Watches a run: a picture on a terminal, or lines. Calls come from several threads, one at a time.
class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void changed(const NodeEvent& event) = 0;
  /// A line that a step wrote on stderr.
  virtual void line(const std::string& node, std::string_view text) = 0;
};

enum class Resume { no, yes };

struct RunRequest {
  std::map<std::string, std::string> parameters;                          ///< -p name=value: they win
  std::map<std::string, std::map<std::string, std::string>> config_maps;  ///< by name, for configMapKeyRef
  fs::Path state_folder;
  fs::Path working_folder;  ///< where relative paths in the arguments begin: elsewhere they mean another run
  std::string nonce;        ///< not empty: another run, although files and parameters are the same
  Resume resume = Resume::no;
};

/// The run's identity: the first 16 hexadecimal digits of a digest over the files, the arguments that they resolve to,
/// the working folder, and the nonce.
std::string run_id_of(const Library& library, const std::map<std::string, std::string>& arguments,
                      const RunRequest& request);

/// The workflow's arguments: given ones, else the file's values, config maps, defaults. Error usage for one without a
/// value, one whose value is not allowed (enum), or one that the workflow does not have.
std::map<std::string, std::string> resolve_arguments(const Library& library, const RunRequest& request);

struct RunResult {
  std::string run_id;
  Outcome outcome;
  std::string failed_node;  ///< the node whose failure is the run's, empty if there is none
};

/// Runs a workflow to its end: the entrypoint, then the exit hook, whatever the entrypoint came to.
RunResult run_workflow(const Library& library, const RunRequest& request, Executor& executor, Watcher& watcher);

}  // namespace capsule::workflow
