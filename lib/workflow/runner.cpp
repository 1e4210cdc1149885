#include "workflow/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <thread>

#include "core/error.hpp"
#include "core/time.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/check.hpp"
#include "workflow/walker.hpp"

namespace capsule::workflow {

namespace {

using Clock = std::chrono::steady_clock;

/// The first failures, as many as fit into one argument of a program (128 KiB).
json::Value failures_as_json(const std::vector<Failure>& failures) {
  constexpr std::size_t most_bytes = std::size_t{48} << 10U;  // it is quoted twice
  json::Array out;
  std::size_t bytes = 0;
  for (const auto& failure : failures) {
    if (bytes += 200 + failure.node.size() + failure.outcome.message.size(); bytes > most_bytes) break;
    out.push_back(json::Object{
        {"displayName", failure.node},
        {"message", fmt::format("main: Error (exit code {}): {}", failure.outcome.exit_code, failure.outcome.message)},
        {"templateName", failure.template_name},
        {"phase", name_of(failure.outcome.phase)},
        {"finishedAt", format_time(now())}});
  }
  return out;
}

json::Value as_json(const std::string& run_id, const Library& library,
                    const std::map<std::string, std::string>& arguments, const Outcome& outcome) {
  json::Object parameters;
  for (const auto& [name, value] : arguments) parameters.set(name, value);
  json::Object outputs;
  for (const auto& [name, value] : outcome.outputs) outputs.set(name, value);
  return json::Object{
      {"run_id", run_id},           {"workflow", library.submitted.name},  {"phase", name_of(outcome.phase)},
      {"message", outcome.message}, {"parameters", std::move(parameters)}, {"outputs", std::move(outputs)}};
}

Scope workflow_scope(const Library& library, const std::string& run_id,
                     const std::map<std::string, std::string>& arguments) {
  Scope scope;
  scope.set("workflow.name", fmt::format("{}-{}", library.submitted.name, run_id));
  scope.set("workflow.uid", run_id);
  scope.set("workflow.namespace", std::string{"default"});
  for (const auto& [name, value] : arguments) scope.set("workflow.parameters." + name, value);
  return scope;
}

/// Argo gives `workflow.failures` as JSON inside a JSON string; after a success that string is "null".
std::string failures_text(const std::vector<Failure>& failures) {
  return json::compact(json::Value{failures.empty() ? std::string{"null"} : json::compact(failures_as_json(failures))});
}

/// How many steps run at once: what the workflow says, within what one machine bears; else enough for its cores, and
/// for steps that wait for each other.
std::size_t parallelism_of(const Library& library) {
  constexpr std::size_t least_by_default = 16;
  constexpr std::size_t most = 256;
  const auto wanted = library.submitted.parallelism != 0 ? library.submitted.parallelism : library.main().parallelism;
  if (wanted != 0) return std::min(wanted, most);
  return std::min(std::max(least_by_default, std::size_t{2} * std::thread::hardware_concurrency()), most);
}

void run_exit_hook(Walker& walker, const Library& library, const Scope& workflow, RunResult& result) {
  const auto& spec = library.submitted.exit_hook ? library.submitted : library.main();
  if (!spec.exit_hook) return;
  auto known = workflow;
  known.set("workflow.status", std::string{name_of(result.outcome.phase)});
  known.set("workflow.failures", failures_text(walker.failures()));
  walker.begin_exit(spec.exit_hook->style == Hook::Style::handler ? known : workflow);
  const auto hook = walker.run_hook(spec, *spec.exit_hook, "onExit", known);
  if (hook.good() || !result.outcome.good()) return;
  result.outcome = {Phase::failed, hook.exit_code, hook.message, result.outcome.outputs};
  result.failed_node = "onExit";
}

/// Runs the entrypoint, then the exit hook. A fault of the workflow itself (a value that cannot be had) is thrown when
/// both are done.
void run_and_exit(Walker& walker, const Library& library, const TemplateReference& entrypoint,
                  const std::map<std::string, std::string>& arguments, const Scope& workflow, RunResult& result) {
  std::exception_ptr fault;
  try {
    result.outcome = walker.run(library.main(), entrypoint, "", arguments);
  } catch (const Error& error) {
    fault = std::current_exception();
    result.outcome = {Phase::error, exit_code(error.kind()), error.message(), {}};
  }
  result.failed_node = result.outcome.failed_node;
  try {
    run_exit_hook(walker, library, workflow, result);
  } catch (const Error&) {
    if (!fault) throw;
  }
  if (fault) std::rethrow_exception(fault);
}

}  // namespace

RunResult run_workflow(const Library& library, const RunRequest& request, Executor& executor, Watcher& watcher) {
  const auto arguments = resolve_arguments(library, request);
  check_library(library, arguments);
  RunResult result{run_id_of(library, arguments, request), {}, {}};
  RunState state{request.state_folder, result.run_id};
  const auto& main = library.main();
  const auto limit = library.submitted.deadline ? library.submitted.deadline : main.deadline;
  const auto workflow = workflow_scope(library, result.run_id, arguments);
  Walker walker{{library,
                 {state, executor, request.resume, request.state_folder},
                 watcher,
                 limit ? Clock::now() + *limit : Clock::time_point::max(),
                 parallelism_of(library),
                 workflow}};
  const TemplateReference entrypoint{
      {}, library.submitted.entrypoint.empty() ? main.entrypoint : library.submitted.entrypoint};
  walker.announce(main, entrypoint, "");
  run_and_exit(walker, library, entrypoint, arguments, workflow, result);
  state.remember_workflow(json::pretty(as_json(result.run_id, library, arguments, result.outcome)));
  return result;
}

}  // namespace capsule::workflow
