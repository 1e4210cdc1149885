#include <algorithm>
#include <condition_variable>

#include "core/error.hpp"
#include "workflow/binding.hpp"
#include "workflow/together.hpp"
#include "workflow/walker.hpp"

namespace capsule::workflow {

namespace {

/// `A.Succeeded` and the like (Argo, "Enhanced Depends Logic"); a task alone means that it succeeded, was skipped or
/// left out.
std::optional<json::Value> depends_value(std::string_view path, const std::map<std::string, Outcome>& done) {
  const auto dot = path.find('.');
  const auto found = done.find(std::string{path.substr(0, dot)});
  if (found == done.end()) return std::nullopt;
  const auto phase = found->second.phase;
  if (dot == std::string_view::npos) return found->second.good();
  const auto word = path.substr(dot + 1);
  if (word == "Succeeded") return phase == Phase::succeeded;
  if (word == "Failed") return phase == Phase::failed;
  if (word == "Errored") return phase == Phase::error;
  if (word == "Skipped") return phase == Phase::skipped;
  if (word == "Omitted") return phase == Phase::omitted;
  if (word == "Daemoned") return false;
  return std::nullopt;
}

}  // namespace

/// What the tasks of one DAG share while they run.
struct Walker::Dag {
  std::mutex mutex;
  std::condition_variable changed;
  Outcomes done;
  Scope scope;          ///< with what the tasks that are done have left
  bool broken = false;  ///< a task could not be run at all: what has not begun does not begin
};

/// Waits for what the task depends on, then runs it or leaves it out.
Outcome Walker::run_dag_task(const Spec& spec, const Task& task, const std::string& node, Dag& dag) {
  const auto names = tasks_in(task.depends);
  Outcome outcome{Phase::omitted, 0, {}, {}};
  std::unique_lock lock{dag.mutex};
  dag.changed.wait(lock, [&] {
    return dag.broken ||
           std::all_of(names.begin(), names.end(), [&](const auto& name) { return dag.done.contains(name); });
  });
  if (dag.broken) return outcome;
  const bool wanted =
      task.depends.empty() || evaluate_condition(task.depends, Dialect::depends,
                                                 [&](std::string_view path) { return depends_value(path, dag.done); });
  const auto scope = dag.scope;
  lock.unlock();
  try {
    if (wanted)
      outcome = run_task(spec, task, node, scope);
    else
      report(node, outcome);
  } catch (...) {
    lock.lock();
    dag.broken = true;
    dag.changed.notify_all();
    throw;
  }
  lock.lock();
  dag.done.emplace(task.name, outcome);
  dag.scope.set_node("tasks." + task.name, outcome);
  dag.changed.notify_all();
  return outcome;
}

Outcome Walker::run_dag(const Library::Resolved& resolved, const std::string& node, const Scope& scope) {
  const auto& tasks = resolved.definition->dag;
  Dag dag;
  dag.scope = scope;
  std::vector<std::function<Outcome()>> work;
  work.reserve(tasks.size());
  for (const auto& task : tasks) {
    work.emplace_back([&] { return run_dag_task(*resolved.spec, task, child_of(node, task.name), dag); });
  }
  const auto outcomes = run_together(work);
  std::vector<bool> may_fail;
  may_fail.reserve(tasks.size());
  for (const auto& task : tasks) {
    // A failure that another task depended on, and so dealt with, is not the DAG's.
    may_fail.push_back(task.continue_on_failed || std::any_of(tasks.begin(), tasks.end(), [&](const Task& other) {
                         return other.depends.find(task.name + ".Failed") != std::string::npos &&
                                dag.done.at(other.name).phase == Phase::succeeded;
                       }));
  }
  auto outcome = combined(outcomes, may_fail);
  bind_outputs(*resolved.definition, dag.scope, outcome);
  return outcome;
}

}  // namespace capsule::workflow
