#include "workflow/walker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <set>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

namespace {

constexpr std::size_t max_depth = 16;
constexpr std::size_t max_items = 1000;

std::string child(const std::string& node, std::string_view name) {
  return node.empty() ? std::string{name} : fmt::format("{}/{}", node, name);
}

/// What a group of tasks comes to: the first that failed says why.
Outcome combined(const std::vector<Outcome>& outcomes, const std::vector<bool>& may_fail) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].good() && !may_fail[i]) return {Phase::failed, outcomes[i].exit_code, outcomes[i].message, {}};
  }
  return {Phase::succeeded, 0, {}, {}};
}

/// Runs every piece of work in a thread of its own; the first exception is thrown when all are done.
std::vector<Outcome> run_together(const std::vector<std::function<Outcome()>>& work) {
  if (work.size() == 1) return {work.front()()};
  std::vector<std::future<Outcome>> futures;
  futures.reserve(work.size());
  for (const auto& piece : work) futures.push_back(std::async(std::launch::async, piece));
  std::vector<Outcome> out;
  std::exception_ptr fault;
  for (auto& future : futures) {
    try {
      out.push_back(future.get());
    } catch (...) {
      if (!fault) fault = std::current_exception();
    }
  }
  if (fault) std::rethrow_exception(fault);
  return out;
}

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

/// As many leaves at once as the workflow's parallelism allows.
struct Walker::Slots {
  explicit Slots(std::size_t count) : free(count == 0 ? SIZE_MAX : count) {}
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t free;

  void take() {
    std::unique_lock lock{mutex};
    changed.wait(lock, [this] { return free > 0; });
    --free;
  }
  void give() {
    const std::lock_guard lock{mutex};
    ++free;
    changed.notify_one();
  }
};

Walker::Walker(Context context)
    : m_context(std::move(context)), m_slots(std::make_shared<Slots>(m_context.parallelism)) {}

std::vector<Failure> Walker::failures() const {
  const std::lock_guard lock{m_mutex};
  return m_failures;
}

void Walker::report(const std::string& node, const Outcome& outcome, unsigned attempt) {
  const std::lock_guard lock{m_mutex};
  const auto name = node.substr(node.rfind('/') + 1);
  m_context.watcher.changed({node, name, static_cast<std::size_t>(std::count(node.begin(), node.end(), '/')),
                             outcome.phase, outcome.message, attempt});
}

void Walker::announce(const Spec& spec, const TemplateReference& target, const std::string& node) {
  if (static_cast<std::size_t>(std::count(node.begin(), node.end(), '/')) > max_depth) return;
  const auto resolved = m_context.library.resolve(spec, target);
  const auto announce_task = [&](const Task& task) {
    const auto path = child(node, task.name);
    report(path, {});
    if (!task.with_items && task.with_param.empty()) announce(*resolved.spec, task.target, path);
  };
  for (const auto& group : resolved.definition->steps) std::for_each(group.begin(), group.end(), announce_task);
  std::for_each(resolved.definition->dag.begin(), resolved.definition->dag.end(), announce_task);
}

Scope Walker::bind(const Template& definition, const Arguments& arguments) const {
  Scope scope = m_context.workflow;
  bind_inputs(definition, arguments, scope);
  return scope;
}

Outcome Walker::run(const Spec& spec, const TemplateReference& target, const std::string& node,
                    const Arguments& arguments) {
  if (static_cast<std::size_t>(std::count(node.begin(), node.end(), '/')) > max_depth) {
    throw Error{ErrorKind::usage,
                fmt::format("the templates call each other deeper than {} levels, at {}", max_depth, node)};
  }
  const auto resolved = m_context.library.resolve(spec, target);
  auto scope = bind(*resolved.definition, arguments);
  if (resolved.definition->container) return run_leaf(resolved, node, scope);
  return resolved.definition->steps.empty() ? run_dag(resolved, node, scope)
                                            : run_steps(resolved, node, std::move(scope));
}

Outcome Walker::run_leaf(const Library::Resolved& resolved, const std::string& node, const Scope& scope) {
  m_slots->take();
  const std::shared_ptr<void> slot{nullptr, [this](void*) { m_slots->give(); }};
  const Leaf::Reports reports{[&](unsigned attempt, const std::string& message) {
                                report(node, {Phase::running, 0, message, {}}, attempt);
                              },
                              [&](std::string_view line) {
                                const std::lock_guard lock{m_mutex};
                                m_context.watcher.line(node, line);
                              }};
  auto outcome =
      Leaf::run({*resolved.spec, *resolved.definition, node, m_context.deadline}, scope, m_context.tools, reports);
  if (!outcome.good()) {
    const std::lock_guard lock{m_mutex};
    m_failures.push_back({node, resolved.definition->name, outcome});
  }
  return outcome;
}

Outcome Walker::run_steps(const Library::Resolved& resolved, const std::string& node, Scope scope) {
  Outcome outcome{Phase::succeeded, 0, {}, {}};
  for (const auto& group : resolved.definition->steps) {
    std::vector<std::function<Outcome()>> work;
    std::vector<bool> may_fail;
    for (const auto& task : group) {
      work.emplace_back([&] { return run_task(*resolved.spec, task, child(node, task.name), scope); });
      may_fail.push_back(task.continue_on_failed);
    }
    const auto outcomes = run_together(work);
    for (std::size_t i = 0; i < group.size(); ++i) scope.set_node("steps." + group[i].name, outcomes[i]);
    outcome = combined(outcomes, may_fail);
    if (!outcome.good()) break;
  }
  bind_outputs(*resolved.definition, scope, outcome);
  return outcome;
}

Outcome Walker::run_dag(const Library::Resolved& resolved, const std::string& node, const Scope& scope) {
  const auto& tasks = resolved.definition->dag;
  for (const auto& task : tasks) {
    for (const auto& name : tasks_in(task.depends)) {
      const bool known = std::any_of(tasks.begin(), tasks.end(), [&](const Task& other) { return other.name == name; });
      if (!known)
        throw Error{ErrorKind::usage,
                    fmt::format("{}: depends on the task '{}', which is not there", task.place, printable(name))};
    }
  }
  Outcomes done;
  Scope seen = scope;
  while (done.size() < tasks.size()) {
    // Wave after wave: all tasks whose dependencies are done run at once.
    std::vector<const Task*> ready;
    for (const auto& task : tasks) {
      const auto names = tasks_in(task.depends);
      const bool waits =
          std::any_of(names.begin(), names.end(), [&](const auto& name) { return !done.contains(name); });
      if (!done.contains(task.name) && !waits) ready.push_back(&task);
    }
    if (ready.empty())
      throw Error{ErrorKind::usage,
                  fmt::format("{}: the tasks wait for each other in a circle", resolved.definition->place)};
    std::vector<std::function<Outcome()>> work;
    for (const auto* task : ready) {
      const bool wanted =
          task->depends.empty() || evaluate_condition(task->depends, Dialect::depends,
                                                      [&](std::string_view path) { return depends_value(path, done); });
      if (wanted)
        work.emplace_back([&, task] { return run_task(*resolved.spec, *task, child(node, task->name), seen); });
      else
        work.emplace_back([&, task] {
          const Outcome omitted{Phase::omitted, 0, {}, {}};
          report(child(node, task->name), omitted);
          return omitted;
        });
    }
    const auto outcomes = run_together(work);
    for (std::size_t i = 0; i < ready.size(); ++i) {
      done.emplace(ready[i]->name, outcomes[i]);
      seen.set_node("tasks." + ready[i]->name, outcomes[i]);
    }
  }
  std::vector<Outcome> all;
  std::vector<bool> may_fail;
  for (const auto& task : tasks) {
    all.push_back(done.at(task.name));
    // A failure that another task depended on, and so dealt with, is not the DAG's.
    may_fail.push_back(task.continue_on_failed || std::any_of(tasks.begin(), tasks.end(), [&](const Task& other) {
                         return other.depends.find(task.name + ".Failed") != std::string::npos &&
                                done.at(other.name).phase == Phase::succeeded;
                       }));
  }
  auto outcome = combined(all, may_fail);
  bind_outputs(*resolved.definition, seen, outcome);
  return outcome;
}

Outcome Walker::run_task(const Spec& spec, const Task& task, const std::string& node, const Scope& scope) {
  return with_trace(task.place, [&] {
    Outcome outcome;
    if (task.with_items)
      outcome = run_items(spec, task, node, scope, *task.with_items);
    else if (!task.with_param.empty()) {
      const auto list = json::parse(substitute(task.with_param, scope.lookup()), "withParam");
      if (!list.is_array()) throw Error{ErrorKind::usage, "withParam wants a JSON array"};
      outcome = run_items(spec, task, node, scope, *list.if_array());
    } else {
      outcome = run_instance(spec, task, node, scope);
    }
    return outcome;
  });
}

Outcome Walker::run_items(const Spec& spec, const Task& task, const std::string& node, const Scope& scope,
                          const json::Array& items) {
  if (items.size() > max_items) throw Error{ErrorKind::usage, fmt::format("more than {} items", max_items)};
  report(node, {Phase::running, 0, {}, {}});
  std::vector<std::function<Outcome()>> work;
  for (std::size_t i = 0; i < items.size(); ++i) {
    work.emplace_back([&, i] {
      Scope own = scope;
      own.set_item(items[i]);
      return run_instance(spec, task, fmt::format("{}({})", node, i), own);
    });
  }
  const auto outcomes = work.empty() ? std::vector<Outcome>{} : run_together(work);
  auto outcome = combined(outcomes, std::vector<bool>(outcomes.size(), false));
  // Each output is the JSON array of the items' outputs.
  std::map<std::string, json::Array> collected;
  for (const auto& one : outcomes) {
    for (const auto& [name, value] : one.outputs) collected[name].emplace_back(value);
  }
  for (auto& [name, values] : collected) outcome.outputs.emplace(name, json::compact(std::move(values)));
  report(node, outcome);
  return outcome;
}

Outcome Walker::run_instance(const Spec& spec, const Task& task, const std::string& node, const Scope& scope) {
  if (!task.when.empty() && !evaluate_condition(task.when, Dialect::when, scope.lookup())) {
    const Outcome skipped{Phase::skipped, 0, fmt::format("when '{}' is false", task.when), {}};
    report(node, skipped);
    return skipped;
  }
  report(node, {Phase::running, 0, {}, {}});
  auto outcome = run(spec, task.target, node, argument_values(task.arguments, scope, task.place));
  if (task.exit_hook) {
    Scope own = scope;
    own.set_node("steps." + task.name, outcome);
    own.set_node("tasks." + task.name, outcome);
    run(spec, task.exit_hook->target, node + ".onExit", argument_values(task.exit_hook->arguments, own, task.place));
  }
  report(node, outcome);
  return outcome;
}

}  // namespace capsule::workflow
