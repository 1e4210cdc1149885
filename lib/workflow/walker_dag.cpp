#include <algorithm>
#include <deque>

#include "core/error.hpp"
#include "workflow/binding.hpp"
#include "workflow/dependencies.hpp"
#include "workflow/walker.hpp"

namespace capsule::workflow {

namespace {

bool is_failure(Phase phase) {
  return phase == Phase::failed || phase == Phase::error;
}

/// `A.Succeeded` and the like (Argo, "Enhanced Depends Logic"); a task alone means that it succeeded, was skipped or
/// left out.
std::optional<json::Value> state_of(const Outcome& outcome, std::string_view word) {
  const auto phase = outcome.phase;
  if (word.empty()) return outcome.good();
  if (word == "Succeeded") return phase == Phase::succeeded;
  if (word == "Failed") return phase == Phase::failed;
  if (word == "Errored") return phase == Phase::error;
  if (word == "Skipped") return phase == Phase::skipped;
  if (word == "Omitted") return phase == Phase::omitted;
  if (word == "Daemoned") return false;
  return std::nullopt;
}

}  // namespace

/// One DAG while it runs. A task becomes a job of the crew when all that it waits for is done.
///
/// It has failed, as in Argo (assessDAGPhase), when a branch ends in a failure: a last task, one that nobody waits for,
/// failed, or never ran and comes behind one that failed. So a failure counts for nothing where another task waits for
/// it and succeeds.
struct Walker::Dag {
  Dag(Walker& owner, Caller& running, std::string path, Scope first)
      : walker(owner),
        caller(running),
        node(std::move(path)),
        tasks(running.resolved.definition->dag),
        graph(tasks),
        scope(std::move(first)),
        open(tasks.size()),
        outcomes(tasks.size()),
        culprits(tasks.size()),
        crew(running.room()) {
    for (std::size_t i = 0; i < tasks.size(); ++i) open[i] = graph.needs[i].size();
  }

  Outcome run() {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (open[i] == 0) begin(i);
    }
    crew.run();
    Outcome outcome{Phase::succeeded, 0, {}, {}};
    if (culprit) {
      const auto& failure = outcomes[*culprit];
      outcome = {Phase::failed, failure.exit_code, failure.message, {}, failure.failed_node};
    }
    bind_outputs(*caller.resolved.definition, scope, outcome);
    return outcome;
  }

 private:
  void begin(std::size_t task) {
    crew.add([this, task] { perform(task); });
  }

  /// With dag.failFast no task begins once the DAG has failed, but for those that deal with a failure.
  [[nodiscard]] bool is_stopped(std::size_t task) const {
    return caller.resolved.definition->dag_fail_fast && culprit &&
           std::none_of(graph.needs[task].begin(), graph.needs[task].end(),
                        [&](std::size_t need) { return is_failure(outcomes[need].phase); });
  }

  void perform(std::size_t task) {
    std::unique_lock lock{mutex};
    const bool stopped = is_stopped(task);
    const auto own = scope;
    lock.unlock();
    Outcome outcome{Phase::omitted, 0, "left out: another task has failed (failFast)", {}};
    const auto path = child_of(node, tasks[task].name);
    if (stopped)
      walker.report(path, outcome);
    else
      outcome = walker.run_task(caller, tasks[task], path, own);
    lock.lock();
    complete(task, std::move(outcome));
  }

  /// Notes what a task came to, and begins, or leaves out, what has waited for it.
  void complete(std::size_t task, Outcome outcome) {
    std::deque<std::size_t> done{task};
    for (settle(task, std::move(outcome)); !done.empty(); done.pop_front()) {
      for (const auto dependent : graph.dependents[done.front()]) {
        if (--open[dependent] > 0) continue;
        if (is_wanted(dependent)) {
          begin(dependent);
        } else {
          walker.report(child_of(node, tasks[dependent].name), {Phase::omitted, 0, {}, {}});
          settle(dependent, {Phase::omitted, 0, {}, {}});
          done.push_back(dependent);
        }
      }
    }
  }

  [[nodiscard]] bool is_wanted(std::size_t task) const {
    return evaluate_condition(tasks[task].depends, Dialect::depends, [&](std::string_view path) {
      const auto dot = path.find('.');
      const auto& needs = graph.needs[task];
      const auto found = std::find_if(needs.begin(), needs.end(),
                                      [&](std::size_t need) { return tasks[need].name == path.substr(0, dot); });
      return found == needs.end()
                 ? std::nullopt
                 : state_of(outcomes[*found], dot == std::string_view::npos ? "" : path.substr(dot + 1));
    });
  }

  void settle(std::size_t task, Outcome outcome) {
    scope.set_node("tasks." + tasks[task].name, outcome);
    if (is_failure(outcome.phase)) {
      if (!tasks[task].continue_on_failed) culprits[task] = task;
    } else if (outcome.phase != Phase::succeeded) {
      for (const auto need : graph.needs[task]) {
        if (!culprits[task]) culprits[task] = culprits[need];
      }
    }
    if (culprits[task] && graph.dependents[task].empty())
      culprit = std::min(culprit.value_or(*culprits[task]), *culprits[task]);
    outcomes[task] = std::move(outcome);
  }

  Walker& walker;
  Caller& caller;
  const std::string node;
  const std::vector<Task>& tasks;
  const DependencyGraph graph;
  std::mutex mutex;               ///< for all that follows
  Scope scope;                    ///< with what the tasks that are done have left
  std::vector<std::size_t> open;  ///< how many of those that a task waits for are not done
  std::vector<Outcome> outcomes;
  std::vector<std::optional<std::size_t>> culprits;  ///< whose failure the branch up to a task ends in
  std::optional<std::size_t> culprit;                ///< whose failure is the DAG's
  Crew crew;
};

Outcome Walker::run_dag(const Library::Resolved& resolved, const std::string& node, const Scope& scope) {
  Caller caller{resolved, m_seats};
  auto outcome = Dag{*this, caller, node, scope}.run();
  hold(outcome);
  return outcome;
}

}  // namespace capsule::workflow
