#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "json/value.hpp"

namespace capsule::workflow {

/// Where a parameter's value comes from (Argo Workflows 4.1, ValueFrom).
struct ValueFrom {
  std::string path;        ///< a file that the step leaves
  std::string parameter;   ///< a tag: another node's output
  std::string expression;  ///< expr
  std::string config_map;  ///< configMapKeyRef.name
  std::string config_key;  ///< configMapKeyRef.key
  std::optional<std::string> default_value;
};

struct Parameter {
  std::string name;
  std::optional<std::string> value;
  std::optional<std::string> default_value;
  std::optional<ValueFrom> from;
  std::vector<std::string> allowed;  ///< enum; empty: anything
};

struct TemplateReference {
  std::string name;           ///< of the WorkflowTemplate; empty: a template of the same workflow
  std::string template_name;  ///< inside it
};

/// A hook that runs when a workflow, or a step, has ended.
struct Hook {
  /// `hooks.exit`, whose arguments alone know how it ended, or the older `onExit`, whose template knows it too.
  enum class Style { hook, handler };
  TemplateReference target;
  std::vector<Parameter> arguments;
  Style style = Style::hook;
};

/// A step, or a task of a DAG.
struct Task {
  std::string name;
  TemplateReference target;
  std::vector<Parameter> arguments;
  std::string when;
  std::string depends;
  std::optional<json::Array> with_items;
  std::string with_param;
  std::optional<Hook> exit_hook;
  bool continue_on_failed = false;
  std::string place;  ///< file and pointer, for messages
};

struct RetryStrategy {
  unsigned limit = 0;  ///< tries beyond the first
  bool on_failure = true;
  bool on_error = true;
  std::string expression;
  std::chrono::milliseconds delay{0};
  double factor = 1;
  std::optional<std::chrono::milliseconds> cap;
  std::optional<std::chrono::milliseconds> max_duration;
};

struct Volume {
  enum class Kind { empty_dir, secret, config_map };
  Kind kind{};
  std::string name;
  std::string source;  ///< of a secret or config map: its name
};

struct Container {
  std::vector<std::string> command;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::pair<std::string, std::string>> mounts;  ///< volume name, mount path
};

struct Template {
  std::string name;
  std::vector<Parameter> inputs;
  std::vector<Parameter> outputs;
  std::optional<Container> container;
  std::vector<std::vector<Task>> steps;
  std::vector<Task> dag;
  bool dag_fail_fast = true;    ///< dag.failFast: after a failure no further task begins
  bool fail_fast = false;       ///< failFast of the template: after a failure no further child begins
  std::size_t parallelism = 0;  ///< children that run at once; 0: no limit
  std::vector<Volume> volumes;
  std::optional<RetryStrategy> retry;
  std::optional<std::chrono::milliseconds> timeout;
  std::string place;
};

/// A Workflow's or a WorkflowTemplate's spec, as far as one machine needs it.
struct Spec {
  std::string kind;  ///< "Workflow" or "WorkflowTemplate"
  std::string name;  ///< metadata.name, or generateName without its last dash
  std::string entrypoint;
  std::string template_reference;  ///< workflowTemplateRef.name
  std::vector<Parameter> arguments;
  std::vector<std::shared_ptr<const Template>> templates;
  std::map<std::string, std::size_t, std::less<>> template_indices;  ///< by name, the first of each
  std::vector<Volume> volumes;
  std::optional<Hook> exit_hook;
  std::optional<std::chrono::milliseconds> deadline;
  std::size_t parallelism = 0;  ///< 0: no limit
};

/// Reads one document. Error usage with file and JSON pointer for what one machine cannot do (script, resource,
/// artifacts, …) and for what no Argo knows; what only a cluster acts on (image, resources, securityContext, …) is
/// accepted and has no effect.
Spec read_spec(const json::Value& document, const std::string& file);

}  // namespace capsule::workflow
