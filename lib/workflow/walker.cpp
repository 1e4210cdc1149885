#include "workflow/walker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/size.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

namespace {

/// A picture of more nodes helps nobody.
constexpr std::size_t max_announced = 1'000;

const Outcome stopped{Phase::omitted, 0, "left out: another one has failed (failFast)", {}};

std::size_t depth_of(const std::string& node) {
  return static_cast<std::size_t>(std::count(node.begin(), node.end(), '/'));
}

/// What a group of tasks comes to: the first that failed, and may not, says why.
Outcome combined(const std::vector<Outcome>& outcomes, const std::vector<bool>& may_fail) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& one = outcomes[i];
    if (!one.good() && !may_fail[i]) return {Phase::failed, one.exit_code, one.message, {}, one.failed_node};
  }
  return {Phase::succeeded, 0, {}, {}};
}

}  // namespace

std::string child_of(const std::string& node, std::string_view name) {
  return node.empty() ? std::string{name} : fmt::format("{}/{}", node, name);
}

Walker::Caller::Caller(const Library::Resolved& running, Seats& run)
    : resolved(running),
      run_seats(run),
      own_seats(running.definition->parallelism == 0 ? SIZE_MAX : running.definition->parallelism - 1) {}

/// The thread that calls run() has a seat.
Walker::Walker(Context context) : m_context(std::move(context)), m_seats(m_context.parallelism - 1) {}

std::vector<Failure> Walker::failures() const {
  const std::lock_guard lock{m_mutex};
  return m_failures;
}

void Walker::report(const std::string& node, const Outcome& outcome, unsigned attempt) {
  const std::lock_guard lock{m_mutex};
  const auto name = node.substr(node.rfind('/') + 1);
  m_context.watcher.changed({node, name, depth_of(node), outcome.phase, outcome.message, attempt});
}

void Walker::begin_node(const std::string& place, const std::string& template_name) {
  if (++m_nodes <= max_nodes) return;
  throw Error{ErrorKind::usage,
              fmt::format("{}: the run comes to more than {} nodes, the limit, with the template '{}'", place,
                          max_nodes, printable(template_name))};
}

void Walker::hold(const Outcome& outcome) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : outcome.outputs) bytes += name.size() + value.size();
  if (m_held_bytes += bytes; m_held_bytes > max_held_bytes) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("the outputs of the run's steps are together larger than the limit of {}",
                            human_size(max_held_bytes))};
  }
}

void Walker::announce(const Spec& spec, const TemplateReference& target, const std::string& node) {
  if (depth_of(node) > max_depth) return;
  const auto resolved = m_context.library.resolve(spec, target);
  const auto announce_task = [&](const Task& task) {
    if (m_announced == max_announced) return;
    ++m_announced;
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
  if (depth_of(node) > max_depth) {
    throw Error{ErrorKind::usage, fmt::format("the templates call each other deeper than {} levels, with '{}'",
                                              max_depth, printable(target.template_name))};
  }
  const auto resolved = m_context.library.resolve(spec, target);
  auto scope = bind(*resolved.definition, arguments);
  if (resolved.definition->container) return run_leaf(resolved, node, scope);
  return resolved.definition->steps.empty() ? run_dag(resolved, node, scope)
                                            : run_steps(resolved, node, std::move(scope));
}

Outcome Walker::run_hook(const Spec& spec, const Hook& hook, const std::string& node, const Scope& scope) {
  return with_trace(node, [&] {
    begin_node(spec.name, hook.target.template_name);
    report(node, {Phase::running, 0, {}, {}});
    auto outcome = run(spec, hook.target, node, argument_values(hook.arguments, scope));
    report(node, outcome);
    return outcome;
  });
}

void Walker::begin_exit(const Scope& workflow) {
  m_context.deadline = std::chrono::steady_clock::time_point::max();
  m_context.workflow = workflow;
  m_nodes = 0;  // it runs however large the run was
  m_held_bytes = 0;
}

Outcome Walker::run_leaf(const Library::Resolved& resolved, const std::string& node, const Scope& scope) {
  const Leaf::Reports reports{[&](unsigned attempt, const std::string& message) {
                                report(node, {Phase::running, 0, message, {}}, attempt);
                              },
                              [&](std::string_view line) {
                                const std::lock_guard lock{m_mutex};
                                m_context.watcher.line(node, line);
                              }};
  auto outcome = Leaf::run({resolved, node, m_context.deadline}, scope, m_context.tools, reports);
  if (!outcome.good()) {
    outcome.failed_node = node;
    const std::lock_guard lock{m_mutex};
    m_failures.push_back({node, resolved.definition->name, outcome});
  }
  hold(outcome);
  if (node.empty()) report(node, outcome);  // an entrypoint that is a container: nobody above it tells of its end
  return outcome;
}

Outcome Walker::run_steps(const Library::Resolved& resolved, const std::string& node, Scope scope) {
  Caller caller{resolved, m_seats};
  Outcome outcome{Phase::succeeded, 0, {}, {}};
  for (const auto& group : resolved.definition->steps) {
    std::vector<Outcome> outcomes(group.size());
    std::vector<bool> may_fail;
    Crew crew{caller.room()};
    for (std::size_t i = 0; i < group.size(); ++i) {
      crew.add([&, i] { outcomes[i] = run_task(caller, group[i], child_of(node, group[i].name), scope); });
      may_fail.push_back(group[i].continue_on_failed);
    }
    crew.run();
    for (std::size_t i = 0; i < group.size(); ++i) scope.set_node("steps." + group[i].name, outcomes[i]);
    outcome = combined(outcomes, may_fail);
    if (!outcome.good()) break;
  }
  bind_outputs(*resolved.definition, scope, outcome);
  hold(outcome);
  return outcome;
}

Outcome Walker::run_task(Caller& caller, const Task& task, const std::string& node, const Scope& scope) {
  if (task.with_items) return run_items(caller, task, node, scope, *task.with_items);
  if (task.with_param.empty()) return run_instance(caller, task, node, scope);
  const auto list = with_trace(task.place, [&] { return list_of(substitute(task.with_param, scope.lookup())); });
  return run_items(caller, task, node, scope, list);
}

Outcome Walker::run_items(Caller& caller, const Task& task, const std::string& node, const Scope& scope,
                          const json::Array& items) {
  if (items.size() > max_items)
    throw Error{ErrorKind::usage, fmt::format("{}: more than {} items", task.place, max_items)};
  begin_node(task.place, task.target.template_name);
  report(node, {Phase::running, 0, {}, {}});
  std::vector<Outcome> outcomes(items.size());
  Crew crew{caller.room()};
  for (std::size_t i = 0; i < items.size(); ++i) {
    crew.add([&, i] {
      Scope own = scope;
      own.set_item(items[i]);
      outcomes[i] = run_instance(caller, task, fmt::format("{}({})", node, i), own);
    });
  }
  crew.run();
  auto outcome = combined(outcomes, std::vector<bool>(outcomes.size(), false));
  // Each output is the JSON array of the items' outputs.
  std::map<std::string, json::Array> collected;
  for (const auto& one : outcomes) {
    for (const auto& [name, value] : one.outputs) collected[name].emplace_back(value);
  }
  for (auto& [name, values] : collected) outcome.outputs.emplace(name, json::compact(std::move(values)));
  hold(outcome);
  report(node, outcome);
  return outcome;
}

Outcome Walker::run_instance(Caller& caller, const Task& task, const std::string& node, const Scope& scope) {
  begin_node(task.place, task.target.template_name);
  if (caller.is_stopped()) {
    report(node, stopped);
    return stopped;
  }
  const bool wanted = with_trace(
      task.place, [&] { return task.when.empty() || evaluate_condition(task.when, Dialect::when, scope.lookup()); });
  if (!wanted) {
    Outcome skipped{Phase::skipped, 0, fmt::format("when '{}' is false", printable(task.when)), {}};
    report(node, skipped);
    return skipped;
  }
  report(node, {Phase::running, 0, {}, {}});
  const auto& spec = *caller.resolved.spec;
  const auto arguments = with_trace(task.place, [&] { return argument_values(task.arguments, scope); });
  auto outcome = run(spec, task.target, node, arguments);
  if (!outcome.good() && !task.continue_on_failed) caller.has_failed = true;
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
