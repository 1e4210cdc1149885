#include "workflow/leaf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "workflow/path_map.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t max_output_bytes = std::size_t{256} << 10U;

const Volume& find_volume(const Leaf::Place& place, const std::string& name) {
  for (const auto* list : {&place.definition.volumes, &place.spec.volumes}) {
    const auto found =
        std::find_if(list->begin(), list->end(), [&](const Volume& volume) { return volume.name == name; });
    if (found != list->end()) return *found;
  }
  throw Error{ErrorKind::usage, fmt::format("{}: there is no volume '{}'", place.definition.place, printable(name))};
}

/// Where each mount lies on this machine: an emptyDir is one folder for all steps of the run, but its `outputs` are
/// each node's own, as they are on a cluster, where each pod has its own emptyDir.
PathMap paths_of(const Leaf::Place& place, const Leaf::Tools& tools) {
  PathMap map;
  for (const auto& [name, mount] : place.definition.container->mounts) {
    const auto& volume = find_volume(place, name);
    switch (volume.kind) {
      case Volume::Kind::empty_dir: {
        const auto folder = tools.state.folder() / "volumes" / name;
        std::filesystem::create_directories(folder);
        map.add(mount, folder.string());
        map.add(mount + "/outputs", tools.state.outputs(place.node).string());
        break;
      }
      case Volume::Kind::secret:
        map.add(mount, (tools.state_folder / "secrets" / volume.source).string());
        break;
      case Volume::Kind::config_map:
        map.add(mount, (tools.state_folder / "configmaps" / volume.source).string());
        break;
    }
  }
  return map;
}

StepCommand command_of(const Leaf::Place& place, const Scope& scope, const PathMap& paths,
                       const fs::Path& state_folder) {
  const auto& container = *place.definition.container;
  const auto lookup = scope.lookup();
  // Paths first, values second: what a parameter brings is a path of this machine already.
  const auto put_in = [&](const std::string& text) { return substitute(paths.apply(text), lookup); };
  StepCommand out;
  out.program = fs::Path{container.command.front()}.filename().string();
  for (std::size_t i = 1; i < container.command.size(); ++i) out.arguments.push_back(put_in(container.command[i]));
  for (const auto& argument : container.arguments) out.arguments.push_back(put_in(argument));
  for (const auto& [name, value] : container.environment) out.environment.insert_or_assign(name, put_in(value));
  out.environment.insert_or_assign("CAPSULE_STATE", state_folder.string());
  return out;
}

Digest digest_of(const StepCommand& command) {
  json::Array arguments;
  for (const auto& argument : command.arguments) arguments.emplace_back(argument);
  json::Object environment;
  for (const auto& [name, value] : command.environment) environment.set(name, value);
  return crypto::sha256(json::canonical(json::Object{
      {"program", command.program}, {"arguments", std::move(arguments)}, {"environment", std::move(environment)}}));
}

std::string read_output(const Parameter& output, const PathMap& paths, const Leaf::Place& place) {
  if (!output.from || output.from->path.empty()) {
    throw Error{ErrorKind::usage, fmt::format("{}: the output '{}' of a container needs valueFrom.path",
                                              place.definition.place, output.name)};
  }
  const fs::Path file = paths.apply(output.from->path);
  if (!std::filesystem::exists(file)) {
    if (output.from->default_value) return *output.from->default_value;
    throw Error{ErrorKind::invalid_input, fmt::format("the step left no output '{}'", output.name)};
  }
  auto text = fs::read_file(file, max_output_bytes);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// After a success every output without a default must be there; after a failure those count that are.
void read_outputs(Outcome& outcome, const PathMap& paths, const Leaf::Place& place) {
  for (const auto& output : place.definition.outputs) {
    try {
      outcome.outputs.insert_or_assign(output.name, read_output(output, paths, place));
    } catch (const Error& error) {
      if (outcome.phase != Phase::succeeded) continue;
      outcome.phase = Phase::error;
      outcome.message = error.message();
      return;
    }
  }
}

bool wants_retry(const RetryStrategy& retry, const Outcome& outcome) {
  if (retry.expression.empty()) return true;
  Scope scope;
  scope.set("lastRetry.exitCode", std::to_string(outcome.exit_code));
  scope.set("lastRetry.status", std::string{name_of(outcome.phase)});
  scope.set("lastRetry.message", outcome.message);
  return evaluate_condition(retry.expression, Dialect::expr, scope.lookup());
}

/// How long to wait before try number `attempt` + 1, or nothing when there is none.
std::optional<milliseconds> retry_delay(const std::optional<RetryStrategy>& retry, const Outcome& outcome,
                                        unsigned attempt, Clock::duration elapsed) {
  if (!retry || outcome.good() || attempt > retry->limit || !wants_retry(*retry, outcome)) return std::nullopt;
  auto delay = static_cast<double>(retry->delay.count());
  for (unsigned i = 1; i < attempt; ++i) delay *= retry->factor;
  if (retry->cap) delay = std::min(delay, static_cast<double>(retry->cap->count()));
  const milliseconds wait{static_cast<milliseconds::rep>(std::min(delay, 86'400'000.0))};
  if (retry->max_duration && elapsed + wait > *retry->max_duration) return std::nullopt;
  return wait;
}

std::optional<milliseconds> time_limit(const Leaf::Place& place) {
  auto limit = place.definition.timeout;
  if (place.deadline != Clock::time_point::max()) {
    const auto left = std::chrono::duration_cast<milliseconds>(place.deadline - Clock::now());
    limit = std::min(limit.value_or(left), std::max(left, milliseconds{1}));
  }
  return limit;
}

}  // namespace

Outcome Leaf::run(const Place& place, const Scope& scope, const Tools& tools, const Reports& reports) {
  const auto paths = paths_of(place, tools);
  auto command = command_of(place, scope, paths, tools.state_folder);
  const auto inputs = digest_of(command);
  if (tools.resume == Resume::yes) {
    if (auto before = tools.state.succeeded(place.node, inputs)) return *std::move(before);
  }
  const auto start = Clock::now();
  Outcome outcome;
  for (unsigned attempt = 1;; ++attempt) {
    reports.attempt(attempt, outcome.message);
    tools.state.fresh_outputs(place.node);
    command.time_limit = time_limit(place);
    const auto result = tools.executor.execute(command, reports.line);
    outcome = {result.exit_code == 0 && !result.timed_out ? Phase::succeeded : Phase::failed,
               result.exit_code,
               result.message,
               {}};
    read_outputs(outcome, paths, place);
    const auto wait = retry_delay(place.definition.retry, outcome, attempt, Clock::now() - start);
    if (!wait || Clock::now() + *wait >= place.deadline) break;
    std::this_thread::sleep_for(*wait);
  }
  tools.state.remember(place.node, inputs, outcome);
  return outcome;
}

}  // namespace capsule::workflow
