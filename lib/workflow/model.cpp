#include "workflow/model.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "workflow/container.hpp"
#include "workflow/fields.hpp"
#include "workflow/retry.hpp"

namespace capsule::workflow {

namespace {

using json::Cursor;

ValueFrom read_value_from(const Cursor& at) {
  at.allow_only({"path", "parameter", "expression", "configMapKeyRef", "default"});
  ValueFrom out;
  out.path = text_or_empty(at, "path");
  out.parameter = text_or_empty(at, "parameter");
  out.expression = text_or_empty(at, "expression");
  if (const auto reference = at.optional("configMapKeyRef")) {
    reference->allow_only({"name", "key", "optional"});
    out.config_map = reference->at("name").string();
    out.config_key = reference->at("key").string();
  }
  if (const auto fallback = at.optional("default")) out.default_value = scalar(*fallback);
  return out;
}

Parameter read_parameter(const Cursor& at) {
  at.allow_only({"name", "value", "default", "valueFrom", "enum", "description", "globalName"});
  Parameter out;
  out.name = read_parameter_name(at);
  if (const auto value = at.optional("value")) out.value = scalar(*value);
  if (const auto fallback = at.optional("default")) out.default_value = scalar(*fallback);
  if (const auto from = at.optional("valueFrom")) out.from = read_value_from(*from);
  for (const auto& allowed : elements_or_none(at, "enum")) out.allowed.push_back(scalar(allowed));
  return out;
}

std::vector<Parameter> read_parameters(const Cursor& at, std::string_view key) {
  std::vector<Parameter> out;
  const auto group = at.optional(key);
  if (!group) return out;
  group->allow_only({"parameters"});  // artifacts go through the registry, never through the orchestrator
  for (const auto& parameter : elements_or_none(*group, "parameters")) out.push_back(read_parameter(parameter));
  return out;
}

/// The name of a WorkflowTemplate; an empty one would mean a template of the same file.
std::string read_reference(const Cursor& at) {
  const auto name = at.at("name");
  if (name.string().empty()) name.fail("the name of a WorkflowTemplate is wanted");
  return name.string();
}

TemplateReference read_target(const Cursor& at) {
  const auto reference = at.optional("templateRef");
  if (!reference) return {{}, at.at("template").string()};
  if (at.optional("template")) at.fail("template and templateRef exclude each other");
  reference->allow_only({"name", "template", "clusterScope"});
  return {read_reference(*reference), reference->at("template").string()};
}

std::optional<Hook> read_exit_hook(const Cursor& at) {
  const auto hooks = at.optional("hooks");
  if (!hooks) return std::nullopt;
  hooks->allow_only({"exit"});
  const auto exit = hooks->at("exit");
  exit.allow_only({"template", "templateRef", "arguments"});
  return Hook{read_target(exit), read_parameters(exit, "arguments")};
}

Task read_task(const Cursor& at, const std::string& file) {
  at.allow_only({"name", "template", "templateRef", "arguments", "when", "depends", "withItems", "withParam", "hooks",
                 "continueOn"});
  Task out;
  out.name = read_name(at);
  out.target = read_target(at);
  out.arguments = read_parameters(at, "arguments");
  out.when = text_or_empty(at, "when");
  out.depends = text_or_empty(at, "depends");
  if (const auto items = at.optional("withItems")) out.with_items = items->array();
  out.with_param = text_or_empty(at, "withParam");
  out.exit_hook = read_exit_hook(at);
  if (const auto go_on = at.optional("continueOn")) {
    go_on->allow_only({"failed", "error"});
    // On one machine a step that fails and one that cannot be run are told apart by their message alone.
    for (const auto* word : {"failed", "error"}) {
      if (const auto value = go_on->optional(word)) out.continue_on_failed |= value->boolean();
    }
  }
  out.place = fmt::format("{} (at {})", file, at.pointer());
  return out;
}

std::shared_ptr<const Template> read_template(const Cursor& at, const std::string& file) {
  at.allow_only({"name",
                 "inputs",
                 "outputs",
                 "container",
                 "steps",
                 "dag",
                 "volumes",
                 "retryStrategy",
                 "timeout",
                 "activeDeadlineSeconds",
                 "pendingTimeout",
                 "securityContext",
                 "serviceAccountName",
                 "automountServiceAccountToken",
                 "executor",
                 "metadata",
                 "parallelism",
                 "metrics",
                 "synchronization",
                 "nodeSelector",
                 "tolerations",
                 "affinity",
                 "priorityClassName",
                 "podSpecPatch",
                 "archiveLocation",
                 "failFast"});
  auto out = std::make_shared<Template>();
  out->name = read_name(at);
  out->place = fmt::format("{} (at {})", file, at.pointer());
  out->inputs = read_parameters(at, "inputs");
  out->outputs = read_parameters(at, "outputs");
  if (const auto container = at.optional("container")) out->container = read_container(*container);
  for (const auto& group : elements_or_none(at, "steps")) {
    auto& tasks = out->steps.emplace_back();
    if (group.array().size() > max_elements) group.fail(fmt::format("more than {} steps", max_elements));
    for (const auto& task : group.elements()) tasks.push_back(read_task(task, file));
  }
  if (const auto dag = at.optional("dag")) {
    dag->allow_only({"tasks", "failFast"});
    for (const auto& task : elements_or_none(*dag, "tasks")) out->dag.push_back(read_task(task, file));
    if (const auto fail_fast = dag->optional("failFast")) out->dag_fail_fast = fail_fast->boolean();
  }
  const int kinds = static_cast<int>(out->container.has_value()) + static_cast<int>(!out->steps.empty()) +
                    static_cast<int>(!out->dag.empty());
  if (kinds != 1) at.fail("a template is exactly one of container, steps, dag");
  if (const auto fail_fast = at.optional("failFast")) out->fail_fast = fail_fast->boolean();
  if (const auto parallelism = at.optional("parallelism")) out->parallelism = parallelism->uint64();
  out->volumes = read_volumes(at);
  if (const auto retry = at.optional("retryStrategy")) out->retry = read_retry(*retry);
  out->timeout = duration_if(at, "timeout");
  if (!out->timeout) out->timeout = duration_if(at, "activeDeadlineSeconds");
  return out;
}

}  // namespace

Spec read_spec(const json::Value& document, const std::string& file) {
  const Cursor top{document, file, ErrorKind::usage};
  top.allow_only({"apiVersion", "kind", "metadata", "spec"});
  Spec out;
  out.kind = top.at("kind").string();
  if (top.at("apiVersion").string() != "argoproj.io/v1alpha1" ||
      (out.kind != "Workflow" && out.kind != "WorkflowTemplate")) {
    top.at("kind").fail("a Workflow or a WorkflowTemplate of argoproj.io/v1alpha1 is wanted");
  }
  const auto metadata = top.at("metadata");
  out.name = text_or_empty(metadata, "name");
  if (out.name.empty()) {
    out.name = metadata.at("generateName").string();
    if (out.name.ends_with('-')) out.name.pop_back();
  }
  const auto spec = top.at("spec");
  spec.allow_only({"entrypoint",
                   "workflowTemplateRef",
                   "arguments",
                   "templates",
                   "volumes",
                   "hooks",
                   "onExit",
                   "activeDeadlineSeconds",
                   "parallelism",
                   "ttlStrategy",
                   "podGC",
                   "synchronization",
                   "securityContext",
                   "serviceAccountName",
                   "automountServiceAccountToken",
                   "executor",
                   "workflowMetadata",
                   "podMetadata",
                   "metrics",
                   "priority",
                   "archiveLogs",
                   "imagePullSecrets",
                   "nodeSelector",
                   "tolerations",
                   "affinity",
                   "podPriorityClassName"});
  out.entrypoint = text_or_empty(spec, "entrypoint");
  if (const auto reference = spec.optional("workflowTemplateRef")) {
    reference->allow_only({"name", "clusterScope"});
    out.template_reference = read_reference(*reference);
  }
  out.arguments = read_parameters(spec, "arguments");
  for (const auto& entry : elements_or_none(spec, "templates")) {
    out.templates.push_back(read_template(entry, file));
    out.template_indices.emplace(out.templates.back()->name, out.templates.size() - 1);
  }
  out.volumes = read_volumes(spec);
  out.exit_hook = read_exit_hook(spec);
  if (const auto handler = spec.optional("onExit")) {
    if (out.exit_hook) handler->fail("hooks.exit and onExit exclude each other");
    out.exit_hook = Hook{{{}, handler->string()}, {}};
    out.exit_hook->style = Hook::Style::handler;
  }
  out.deadline = duration_if(spec, "activeDeadlineSeconds");
  if (const auto parallelism = spec.optional("parallelism")) out.parallelism = parallelism->uint64();
  return out;
}

}  // namespace capsule::workflow
