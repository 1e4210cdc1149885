#include "explain.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>

#include "cluster/events.hpp"
#include "cluster/node.hpp"
#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/write.hpp"
#include "kube/config.hpp"
#include "log/log.hpp"
#include "workflow/failures.hpp"

namespace run_step {

using namespace capsule;

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value == nullptr ? "" : value;
}

/// The Workflow that our pod is of; where one pod runs a whole loop, that is not the one that capsule-run calls so, and
/// the template says its uid, without which kubectl describe does not show what is told of it.
json::Value workflow_of(const Explanation& options, const std::string& ns) {
  const auto outer = variable("ARGO_WORKFLOW_NAME");
  const bool is_inner = !outer.empty() && outer != options.workflow;
  return json::Object{{"apiVersion", "argoproj.io/v1alpha1"},
                      {"kind", "Workflow"},
                      {"metadata", json::Object{{"name", is_inner ? outer : options.workflow},
                                                {"namespace", ns},
                                                {"uid", is_inner ? variable("ARGO_WORKFLOW_UID") : options.uid}}}};
}

/// The nodes of a Workflow that have failed, as workflow.failures lists them; but no attempt whose retry went well.
std::string failures_of(const json::Value& workflow) {
  const json::Cursor top{workflow, "the Workflow"};
  const auto status = top.optional("status");
  const auto nodes = status ? status->optional("nodes") : std::nullopt;
  if (!nodes) return "";
  const auto is = [](const json::Cursor& node, std::string_view field, std::string_view value) {
    const auto found = node.optional(field);
    return found && found->value().if_string() != nullptr && found->string() == value;
  };
  std::set<std::string> overcome;
  for (const auto& [id, node] : nodes->members()) {
    if (!is(node, "type", "Retry") || !is(node, "phase", "Succeeded") || !node.optional("children")) continue;
    for (const auto& child : node.at("children").elements()) overcome.insert(child.string());
  }
  json::Array failed;
  for (const auto& [id, node] : nodes->members()) {
    if (is(node, "templateName", "explain") ||
        (node.optional("templateRef") && is(node.at("templateRef"), "template", "explain")))
      continue;  // an attempt of this very hook
    if ((is(node, "phase", "Failed") || is(node, "phase", "Error")) && !overcome.contains(id))
      failed.push_back(node.value());
  }
  return json::compact(json::Value{failed});
}

/// Where the Workflow is that this is about: the cluster of our own pod.
class Place {
 public:
  explicit Place(const Explanation& options) : m_workflow(workflow_of(options, "")) {
    const auto surroundings = kube::Surroundings::real();
    std::error_code ignored;
    if (options.workflow.empty() || !std::filesystem::exists(surroundings.service_account + "/token", ignored)) return;
    auto config = kube::in_cluster(surroundings);
    if (!config) return;
    m_workflow = workflow_of(options, config->ns);
    m_ns = config->ns;
    m_client = std::make_unique<kube::Client>(std::move(*config));
  }

  std::string failures() {
    if (!m_client) return "";
    const kube::Resource workflows{"argoproj.io", "v1alpha1", "workflows"};
    try {
      return failures_of(m_client->get({workflows, m_ns, json::text_at(m_workflow, "/metadata/name")}));
    } catch (const Error& error) {  // a hook that fails would make a good step a failed one
      log::warning("nothing is known of the failures: " + error.message());
      return "";
    }
  }

  void tell(const std::string& note) {
    if (m_client) cluster::tell(*m_client, m_workflow, cluster::EventType::warning, "LoopFailed", note, "capsule-run");
  }

 private:
  json::Value m_workflow;
  std::string m_ns;
  std::unique_ptr<kube::Client> m_client;
};

}  // namespace

void define_explain(CLI::App& app, Explanation& options) {
  auto* command =
      app.add_subcommand("explain", "Say which step of a workflow failed and why: what its exit hook calls");
  command
      ->add_option("failures,--failures", options.failures,
                   "workflow.failures, as Argo gives it to an exit hook [read from the Workflow, in a pod]")
      ->type_name("JSON");
  command->add_option("--status", options.status, "workflow.status")->type_name("PHASE");
  command->add_option("--workflow", options.workflow, "Name of the workflow, which an Event is about")
      ->type_name("NAME");
  command->add_option("--uid", options.uid, "Its workflow.uid")->type_name("UID");
}

void explain(const Explanation& options, step::Context& step) {
  Place place{options};
  // What failed and went well when it was tried again is among the failures of a workflow that has succeeded.
  const auto reason = options.status == "Succeeded"
                          ? std::nullopt
                          : workflow::reason_in(options.failures.empty() ? place.failures() : options.failures);
  step.output("step", reason ? reason->step : "");
  step.output("step-exit-code", reason && reason->exit_code ? fmt::format("{}", *reason->exit_code) : "");
  step.output("reason", reason ? reason->text : "");
  if (!reason)
    return log::info(fmt::format("{}: no step failed", options.status.empty() ? "the workflow" : options.status));
  const auto note =
      fmt::format("{} failed{}: {}", reason->step,
                  reason->exit_code ? fmt::format(" with exit code {}", *reason->exit_code) : "", reason->text);
  log::info(note);
  place.tell(note);
}

}  // namespace run_step
