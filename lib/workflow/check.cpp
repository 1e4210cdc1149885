#include "workflow/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>

#include "core/error.hpp"
#include "fs/safe_path.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/container.hpp"
#include "workflow/dependencies.hpp"
#include "workflow/known_names.hpp"
#include "workflow/size.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

namespace {

[[noreturn]] void fail(const std::string& reason) {
  throw Error{ErrorKind::usage, reason};
}

/// Whether a name comes twice; then which.
template <typename Things>
void check_unique(const Things& things, std::string_view what) {
  std::set<std::string_view> seen;
  for (const auto& name : things) {
    if (!seen.insert(name).second) fail(fmt::format("the {} '{}' is there twice", what, printable(name)));
  }
}

void check_parameters(const std::vector<Parameter>& parameters, std::string_view what) {
  std::vector<std::string_view> names;
  names.reserve(parameters.size());
  for (const auto& parameter : parameters) names.push_back(parameter.name);
  check_unique(names, what);
}

class Checker {
 public:
  Checker(const Library& library, const std::map<std::string, std::string>& arguments) : m_library(library) {
    for (const auto* name : {"workflow.name", "workflow.uid", "workflow.namespace"}) m_workflow.add(name);
    for (const auto& [name, value] : arguments) m_workflow.add("workflow.parameters." + name);
  }

  void check_main(const std::map<std::string, std::string>& arguments) {
    const auto& main = m_library.main();
    const auto& own = m_library.submitted.entrypoint;
    const auto target = m_library.resolve(main, {{}, own.empty() ? main.entrypoint : own});
    for (const auto& input : target.definition->inputs) {
      if (!input.value && !input.default_value && !arguments.contains(input.name))
        fail(fmt::format("the parameter '{}' has no value: give -p {}=…", input.name, input.name));
    }
    check_names_of_results(*target.definition);
    check_later(target, m_workflow);
    const auto& hooked = m_library.submitted.exit_hook ? m_library.submitted : main;
    if (hooked.exit_hook) check_exit_hook(hooked, *hooked.exit_hook);
    check_open();
    check_size(m_library, target);
  }

 private:
  /// The entrypoint's outputs stand in the result beside our own members, with '_' for '-'.
  static void check_names_of_results(const Template& entrypoint) {
    std::set<std::string> taken{"run_id", "phase", "error"};
    for (const auto& output : entrypoint.outputs) {
      auto key = output.name;
      std::replace(key.begin(), key.end(), '-', '_');
      if (!taken.insert(key).second)
        fail(fmt::format("{}: the result has a member '{}' already: the output '{}' needs another name{}",
                         entrypoint.place, key, output.name,
                         entrypoint.container
                             ? "; a loop in one pod is for a cluster alone, here run the one of several steps"
                             : ""));
    }
  }

  void check_spec(const Spec& spec) {
    std::vector<std::string_view> names;
    names.reserve(spec.templates.size());
    for (const auto& definition : spec.templates) names.push_back(definition->name);
    with_trace(spec.name, [&] { check_unique(names, "template"); });
  }

  void check_exit_hook(const Spec& spec, const Hook& hook) {
    with_trace(fmt::format("{}, exit hook", spec.name), [&] {
      m_at_exit.add("workflow.status");
      m_at_exit.add("workflow.failures");
      const auto target = m_library.resolve(spec, hook.target);
      check_arguments(hook.arguments, *target.definition, m_at_exit);
      check_later(target, hook.style == Hook::Style::handler ? m_at_exit : m_workflow);
    });
  }

  /// Templates that are called are checked one after the other, not inside of each other: they may call each other to
  /// any depth. `known`: what is known everywhere.
  void check_later(const Library::Resolved& resolved, const KnownNames& known) {
    if (m_checked.insert(resolved.definition.get()).second) m_open.emplace_back(resolved, &known);
  }

  void check_open() {
    while (!m_open.empty()) {
      const auto [resolved, known] = m_open.front();
      m_open.pop_front();
      check_template(resolved, *known);
    }
  }

  void check_template(const Library::Resolved& resolved, const KnownNames& everywhere) {
    const auto& definition = *resolved.definition;
    KnownNames known{&everywhere};
    with_trace(definition.place, [&] {
      check_parameters(definition.inputs, "input");
      check_parameters(definition.outputs, "output");
    });
    for (const auto& input : definition.inputs) {
      with_trace(definition.place, [&] { check_default(input); });
      known.add("inputs.parameters." + input.name);
    }
    if (m_checked_specs.insert(resolved.spec).second) check_spec(*resolved.spec);
    if (definition.container)
      with_trace(definition.place, [&] { check_container(resolved, known); });
    else if (definition.dag.empty())
      check_steps(resolved, known);
    else
      check_dag(resolved, known);
  }

  static void check_default(const Parameter& input) {
    for (const auto& value : {input.value, input.default_value}) {
      if (!value) continue;
      if (value->find("{{") != std::string::npos)
        fail(fmt::format("the default of '{}' holds a tag, which is put in nowhere", input.name));
      check_allowed(input, *value);
    }
  }

  static void check_container(const Library::Resolved& resolved, const KnownNames& known) {
    const auto& definition = *resolved.definition;
    const auto& container = *definition.container;
    const auto lookup = known.lookup();
    for (std::size_t i = 1; i < container.command.size(); ++i) check_tags(container.command[i], lookup);
    for (const auto& argument : container.arguments) check_tags(argument, lookup);
    for (const auto& [name, value] : container.environment) check_tags(value, lookup);
    for (const auto& [name, path] : container.mounts) {
      if (resolved.volume(name) == nullptr) fail(fmt::format("there is no volume '{}'", printable(name)));
    }
    for (const auto& output : definition.outputs) check_output_path(resolved, output);
  }

  /// An output is read from an emptyDir: what else there is of a container's files is not on this machine, or secret.
  static void check_output_path(const Library::Resolved& resolved, const Parameter& output) {
    if (!output.from || output.from->path.empty())
      fail(fmt::format("the output '{}' of a container needs valueFrom.path", output.name));
    const auto place = locate(*resolved.definition->container, output.from->path);
    const auto* volume = place.volume.empty() ? nullptr : resolved.volume(place.volume);
    with_trace(fmt::format("output '{}'", output.name), [&] {
      if (volume == nullptr || volume->kind != Volume::Kind::empty_dir)
        fail(fmt::format("{} lies in no emptyDir that the container mounts", printable(output.from->path)));
      try {
        fs::SafePath::parse(place.rest);
      } catch (const Error& error) {
        fail(error.message());
      }
    });
  }

  void check_steps(const Library::Resolved& resolved, const KnownNames& before) {
    KnownNames known{&before};
    std::vector<std::string_view> names;
    for (const auto& group : resolved.definition->steps) {
      for (const auto& task : group) {
        names.push_back(task.name);
        if (!task.depends.empty()) fail(fmt::format("{}: depends has no meaning in steps", task.place));
        check_task(*resolved.spec, task, "steps.", known);
      }
      for (const auto& task : group) add_node(*resolved.spec, task, "steps.", known);
    }
    with_trace(resolved.definition->place, [&] {
      check_unique(names, "step");
      check_outputs(*resolved.definition, known);
    });
  }

  void check_dag(const Library::Resolved& resolved, const KnownNames& known) {
    const auto& tasks = resolved.definition->dag;
    std::vector<std::string_view> names;
    names.reserve(tasks.size());
    for (const auto& task : tasks) names.push_back(task.name);
    with_trace(resolved.definition->place, [&] { check_unique(names, "task"); });
    for (const auto& task : tasks) with_trace(task.place, [&] { check_depends(task, tasks); });
    KnownNames all{&known};
    std::map<std::string, std::size_t, std::less<>> index;
    for (const auto& task : tasks) {
      index.emplace(task.name, index.size());
      add_node(*resolved.spec, task, "tasks.", all);
    }
    const auto ancestors = ancestors_in(tasks);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      // Of the other tasks it knows those that are done when it begins.
      const KnownNames seen{&all, [&](std::string_view path) {
                              if (!path.starts_with("tasks.")) return true;
                              path.remove_prefix(6);
                              const auto found = index.find(path.substr(0, path.find('.')));
                              return found != index.end() && has(ancestors[i], found->second);
                            }};
      check_task(*resolved.spec, tasks[i], "tasks.", seen);
    }
    with_trace(resolved.definition->place, [&] { check_outputs(*resolved.definition, all); });
  }

  static void check_depends(const Task& task, const std::vector<Task>& tasks) {
    if (task.depends.empty()) return;
    check_expression(task.depends, Dialect::depends, [&](std::string_view path) -> std::optional<json::Value> {
      constexpr std::array states{"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"};
      const auto dot = path.find('.');
      const bool is_task =
          std::any_of(tasks.begin(), tasks.end(), [&](const Task& other) { return other.name == path.substr(0, dot); });
      if (!is_task) fail(fmt::format("there is no task '{}' to depend on", printable(path.substr(0, dot))));
      if (dot == std::string_view::npos) return true;
      const bool is_state = std::find(states.begin(), states.end(), path.substr(dot + 1)) != states.end();
      return is_state ? std::optional{json::Value{true}} : std::nullopt;
    });
  }

  /// A set of tasks, by their places.
  using Places = std::vector<std::uint64_t>;
  static bool has(const Places& places, std::size_t place) { return ((places[place / 64] >> (place % 64)) & 1U) != 0; }

  /// For each task, which tasks are done before it.
  static std::vector<Places> ancestors_in(const std::vector<Task>& tasks) {
    const DependencyGraph graph{tasks};
    std::vector<Places> out(tasks.size(), Places(tasks.size() / 64 + 1));
    for (const auto at : graph.order) {
      for (const auto before : graph.needs[at]) {
        out[at][before / 64] |= std::uint64_t{1} << (before % 64);
        std::transform(out[at].begin(), out[at].end(), out[before].begin(), out[at].begin(), std::bit_or<>{});
      }
    }
    if (graph.order.size() < tasks.size()) {
      const auto lost = std::find_if(tasks.begin(), tasks.end(), [&](const Task& task) {
        return std::none_of(graph.order.begin(), graph.order.end(), [&](auto at) { return &tasks[at] == &task; });
      });
      fail(fmt::format("{}: the tasks wait for each other in a circle", lost->place));
    }
    return out;
  }

  void add_node(const Spec& spec, const Task& task, const std::string& prefix, KnownNames& known) const {
    known.add_node(prefix + task.name, *m_library.resolve(spec, task.target).definition);
  }

  void check_task(const Spec& spec, const Task& task, const std::string& prefix, const KnownNames& before) {
    KnownNames known{&before};
    const auto target = with_trace(task.place, [&] { return m_library.resolve(spec, task.target); });
    with_trace(task.place, [&] {
      if (task.with_items && !task.with_param.empty()) fail("withItems and withParam exclude each other");
      check_tags(task.with_param, known.lookup());
      if (!task.with_param.empty() && task.with_param.find("{{") == std::string::npos)
        as_usage("", [&] { return list_of(task.with_param); });
      if (task.with_items && json::compact(*task.with_items).find("{{") != std::string::npos)
        fail("an item holds a tag, which is put in nowhere");
      if (task.with_items || !task.with_param.empty()) known.add_item();
      if (!task.when.empty()) check_expression(task.when, Dialect::when, known.lookup());
      check_arguments(task.arguments, *target.definition, known);
      if (task.exit_hook) {
        KnownNames own{&known};
        add_node(spec, task, prefix, own);
        check_arguments(task.exit_hook->arguments, *m_library.resolve(spec, task.exit_hook->target).definition, own);
      }
    });
    check_later(target, m_workflow);
    if (task.exit_hook) check_later(m_library.resolve(spec, task.exit_hook->target), m_workflow);
  }

  static void check_arguments(const std::vector<Parameter>& arguments, const Template& target,
                              const KnownNames& known) {
    check_parameters(arguments, "argument");
    std::set<std::string_view> given;
    for (const auto& argument : arguments) {
      given.insert(argument.name);
      with_trace(fmt::format("argument '{}'", argument.name), [&] {
        if (std::none_of(target.inputs.begin(), target.inputs.end(),
                         [&](const Parameter& input) { return input.name == argument.name; }))
          fail(fmt::format("the template '{}' has no such input", target.name));
        if (argument.value)
          check_tags(*argument.value, known.lookup());
        else if (argument.from && !argument.from->expression.empty())
          check_expression(argument.from->expression, Dialect::expr, known.lookup());
        else
          fail("it has no value");
      });
    }
    for (const auto& input : target.inputs) {
      if (!input.value && !input.default_value && !given.contains(input.name))
        fail(fmt::format("the template '{}' gets no '{}'", target.name, input.name));
    }
  }

  static void check_outputs(const Template& definition, const KnownNames& known) {
    for (const auto& output : definition.outputs) {
      with_trace(fmt::format("output '{}'", output.name), [&] {
        if (!output.from || output.from->parameter.empty() == output.from->expression.empty())
          fail("valueFrom.parameter or valueFrom.expression is wanted");
        if (output.from->expression.empty())
          check_tags(output.from->parameter, known.lookup());
        else
          check_expression(output.from->expression, Dialect::expr, known.lookup());
      });
    }
  }

  const Library& m_library;
  KnownNames m_workflow;
  KnownNames m_at_exit{&m_workflow};
  std::set<const Template*> m_checked;
  std::deque<std::pair<Library::Resolved, const KnownNames*>> m_open;
  std::set<const Spec*> m_checked_specs;
};

}  // namespace

void check_library(const Library& library, const std::map<std::string, std::string>& arguments) {
  Checker{library, arguments}.check_main(arguments);
}

}  // namespace capsule::workflow
