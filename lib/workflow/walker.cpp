#include "workflow/walker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/substitution.hpp"
#include "workflow/together.hpp"

namespace capsule::workflow {

namespace {

constexpr std::size_t max_depth = 16;
constexpr std::size_t max_items = 1000;

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

std::string child_of(const std::string& node, std::string_view name) {
  return node.empty() ? std::string{name} : fmt::format("{}/{}", node, name);
}

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
    const auto path = child_of(node, task.name);
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

Outcome Walker::run_hook(const Spec& spec, const Hook& hook, const std::string& node, const Scope& scope) {
  return with_trace(node, [&] {
    report(node, {Phase::running, 0, {}, {}});
    auto outcome = run(spec, hook.target, node, argument_values(hook.arguments, scope));
    report(node, outcome);
    return outcome;
  });
}

void Walker::begin_exit(const Scope& workflow) {
  m_context.deadline = std::chrono::steady_clock::time_point::max();
  m_context.workflow = workflow;
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
  auto outcome = Leaf::run({resolved, node, m_context.deadline}, scope, m_context.tools, reports);
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
      work.emplace_back([&] { return run_task(*resolved.spec, task, child_of(node, task.name), scope); });
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

Outcome Walker::run_task(const Spec& spec, const Task& task, const std::string& node, const Scope& scope) {
  if (task.with_items) return run_items(spec, task, node, scope, *task.with_items);
  if (task.with_param.empty()) return run_instance(spec, task, node, scope);
  const auto list = with_trace(task.place, [&] {
    auto value = json::parse(substitute(task.with_param, scope.lookup()), "withParam");
    if (!value.is_array()) throw Error{ErrorKind::invalid_input, "withParam: a JSON array is wanted"};
    return value;
  });
  return run_items(spec, task, node, scope, *list.if_array());
}

Outcome Walker::run_items(const Spec& spec, const Task& task, const std::string& node, const Scope& scope,
                          const json::Array& items) {
  if (items.size() > max_items)
    throw Error{ErrorKind::usage, fmt::format("{}: more than {} items", task.place, max_items)};
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
  const bool wanted = with_trace(
      task.place, [&] { return task.when.empty() || evaluate_condition(task.when, Dialect::when, scope.lookup()); });
  if (!wanted) {
    Outcome skipped{Phase::skipped, 0, fmt::format("when '{}' is false", task.when), {}};
    report(node, skipped);
    return skipped;
  }
  report(node, {Phase::running, 0, {}, {}});
  const auto arguments = with_trace(task.place, [&] { return argument_values(task.arguments, scope); });
  auto outcome = run(spec, task.target, node, arguments);
  if (task.exit_hook) {
    Scope own = scope;
    own.set_node("steps." + task.name, outcome);
    own.set_node("tasks." + task.name, outcome);
    run_hook(spec, *task.exit_hook, node + ".onExit", own);
  }
  report(node, outcome);
  return outcome;
}

}  // namespace capsule::workflow
