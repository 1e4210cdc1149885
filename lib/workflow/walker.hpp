#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "workflow/crew.hpp"
#include "workflow/leaf.hpp"
#include "workflow/runner.hpp"

namespace capsule::workflow {

/// A leaf that failed: what `workflow.failures` lists.
struct Failure {
  std::string node;
  std::string template_name;
  Outcome outcome;
};

/// A node's path below another one: "outer/inner".
std::string child_of(const std::string& node, std::string_view name);

/// Walks templates: containers by Leaf, steps group after group, DAG tasks as soon as what they depend on is done.
/// What may run at once does, up to the parallelism of the workflow and of each template.
class Walker {
 public:
  struct Context {
    const Library& library;
    Leaf::Tools tools;
    Watcher& watcher;
    std::chrono::steady_clock::time_point deadline;
    std::size_t parallelism;  ///< 1 or more
    Scope workflow;           ///< workflow.name, workflow.parameters.…, known everywhere
  };
  explicit Walker(Context context);

  using Arguments = std::map<std::string, std::string>;
  /// Runs a template with its inputs bound to `arguments`.
  Outcome run(const Spec& spec, const TemplateReference& target, const std::string& node, const Arguments& arguments);
  /// Runs a hook, whose arguments stand in `scope`.
  Outcome run_hook(const Spec& spec, const Hook& hook, const std::string& node, const Scope& scope);
  /// From now on the exit hook runs: it has no deadline, and `workflow` is what is known everywhere.
  void begin_exit(const Scope& workflow);
  /// Tells the watcher of all nodes that can be foreseen, in their order, as pending.
  void announce(const Spec& spec, const TemplateReference& target, const std::string& node);

  [[nodiscard]] std::vector<Failure> failures() const;

 private:
  struct Caller;
  struct Dag;

  [[nodiscard]] Scope bind(const Template& definition, const Arguments& arguments) const;
  Outcome run_steps(const Library::Resolved& resolved, const std::string& node, Scope scope);
  Outcome run_dag(const Library::Resolved& resolved, const std::string& node, const Scope& scope);
  Outcome run_leaf(const Library::Resolved& resolved, const std::string& node, const Scope& scope);
  /// A task with its `when`, its items and its hook.
  Outcome run_task(Caller& caller, const Task& task, const std::string& node, const Scope& scope);
  Outcome run_instance(Caller& caller, const Task& task, const std::string& node, const Scope& scope);
  Outcome run_items(Caller& caller, const Task& task, const std::string& node, const Scope& scope,
                    const json::Array& items);
  void report(const std::string& node, const Outcome& outcome, unsigned attempt = 1);
  /// Counts a node that is about to begin, and what one that has ended leaves. Error usage and invalid_input beyond the
  /// limits of a run (size.hpp).
  void begin_node(const std::string& place, const std::string& template_name);
  void hold(const Outcome& outcome);

  Context m_context;
  mutable std::mutex m_mutex;
  std::vector<Failure> m_failures;
  Seats m_seats;
  std::size_t m_announced = 0;
  std::atomic<std::size_t> m_nodes = 0;
  std::atomic<std::size_t> m_held_bytes = 0;
};

/// A steps or DAG template while it runs.
struct Walker::Caller {
  Caller(const Library::Resolved& running, Seats& run);
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() = default;

  [[nodiscard]] Room room() noexcept { return {run_seats, own_seats}; }
  /// Whether no further child begins.
  [[nodiscard]] bool is_stopped() const noexcept { return resolved.definition->fail_fast && has_failed; }

  const Library::Resolved& resolved;
  Seats& run_seats;
  Seats own_seats;
  std::atomic<bool> has_failed = false;
};

}  // namespace capsule::workflow
