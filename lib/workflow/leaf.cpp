#include "workflow/leaf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "workflow/path_map.hpp"
#include "workflow/retry.hpp"
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
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    const auto& retry = place.definition.retry;
    const auto wait = retry ? retry_delay(*retry, outcome, attempt, elapsed) : std::nullopt;
    if (!wait || Clock::now() + *wait >= place.deadline) break;
    std::this_thread::sleep_for(*wait);
  }
  tools.state.remember(place.node, inputs, outcome);
  return outcome;
}

}  // namespace capsule::workflow
