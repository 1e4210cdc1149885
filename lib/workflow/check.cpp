#include "workflow/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/error.hpp"
#include "fs/safe_path.hpp"
#include "json/write.hpp"
#include "workflow/container.hpp"
#include "workflow/known_names.hpp"
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
    check_template(target, m_workflow);
    const auto& hooked = m_library.submitted.exit_hook ? m_library.submitted : main;
    if (hooked.exit_hook) check_exit_hook(hooked, *hooked.exit_hook);
  }

 private:
  void check_spec(const Spec& spec) {
    std::vector<std::string_view> names;
    names.reserve(spec.templates.size());
    for (const auto& definition : spec.templates) names.push_back(definition->name);
    with_trace(spec.name, [&] { check_unique(names, "template"); });
  }

  void check_exit_hook(const Spec& spec, const Hook& hook) {
    with_trace(fmt::format("{}, exit hook", spec.name), [&] {
      auto known = m_workflow;
      known.add("workflow.status");
      known.add("workflow.failures");
      const auto target = m_library.resolve(spec, hook.target);
      check_arguments(hook.arguments, *target.definition, known);
      check_template(target, hook.style == Hook::Style::handler ? known : m_workflow);
    });
  }

  void check_template(const Library::Resolved& resolved, KnownNames known) {
    const auto& definition = *resolved.definition;
    if (!m_checked.insert(&definition).second) return;
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
      if (!input.allowed.empty() &&
          std::find(input.allowed.begin(), input.allowed.end(), *value) == input.allowed.end())
        fail(fmt::format("'{}' is not among the values that '{}' allows", printable(*value), input.name));
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

  void check_steps(const Library::Resolved& resolved, KnownNames known) {
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
    auto all = known;
    for (const auto& task : tasks) {
      std::set<std::string> before;
      add_ancestors(task, tasks, before);
      if (before.contains(task.name)) fail(fmt::format("{}: the tasks wait for each other in a circle", task.place));
      auto seen = known;
      for (const auto& other : tasks) {
        if (before.contains(other.name)) add_node(*resolved.spec, other, "tasks.", seen);
      }
      check_task(*resolved.spec, task, "tasks.", seen);
      add_node(*resolved.spec, task, "tasks.", all);
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

  static void add_ancestors(const Task& task, const std::vector<Task>& tasks, std::set<std::string>& out) {
    for (const auto& name : tasks_in(task.depends)) {
      if (!out.insert(name).second) continue;
      for (const auto& other : tasks) {
        if (other.name == name) add_ancestors(other, tasks, out);
      }
    }
  }

  void add_node(const Spec& spec, const Task& task, const std::string& prefix, KnownNames& known) const {
    known.add_node(prefix + task.name, *m_library.resolve(spec, task.target).definition);
  }

  void check_task(const Spec& spec, const Task& task, const std::string& prefix, KnownNames known) {
    const auto target = with_trace(task.place, [&] { return m_library.resolve(spec, task.target); });
    with_trace(task.place, [&] {
      if (task.with_items && !task.with_param.empty()) fail("withItems and withParam exclude each other");
      check_tags(task.with_param, known.lookup());
      if (task.with_items && json::compact(*task.with_items).find("{{") != std::string::npos)
        fail("an item holds a tag, which is put in nowhere");
      if (task.with_items || !task.with_param.empty()) known.add_item();
      if (!task.when.empty()) check_expression(task.when, Dialect::when, known.lookup());
      check_arguments(task.arguments, *target.definition, known);
      if (task.exit_hook) {
        auto own = known;
        add_node(spec, task, prefix, own);
        check_arguments(task.exit_hook->arguments, *m_library.resolve(spec, task.exit_hook->target).definition, own);
      }
    });
    check_template(target, m_workflow);
    if (task.exit_hook) check_template(m_library.resolve(spec, task.exit_hook->target), m_workflow);
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
  std::set<const Template*> m_checked;
  std::set<const Spec*> m_checked_specs;
};

}  // namespace

void check_library(const Library& library, const std::map<std::string, std::string>& arguments) {
  Checker{library, arguments}.check_main(arguments);
}

}  // namespace capsule::workflow
