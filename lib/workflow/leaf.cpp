#include "workflow/leaf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "crypto/hash.hpp"
#include "fs/beneath.hpp"
#include "json/write.hpp"
#include "workflow/container.hpp"
#include "workflow/path_map.hpp"
#include "workflow/retry.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t max_output_bytes = std::size_t{256} << 10U;
/// Of an emptyDir: what is each node's own.
constexpr std::string_view own_folder = "outputs";

/// Where each mount lies on this machine: an emptyDir is one folder for all steps of the run, but its `outputs` are
/// each node's own, as they are on a cluster, where each pod has its own emptyDir.
PathMap paths_of(const Leaf::Place& place, const Leaf::Tools& tools) {
  PathMap map;
  for (const auto& [name, mount] : place.resolved.definition->container->mounts) {
    const auto& volume = *place.resolved.volume(name);  // check_library() has found it
    switch (volume.kind) {
      case Volume::Kind::empty_dir: {
        map.add(mount, tools.state.volume(name).string());
        map.add(fmt::format("{}/{}", mount, own_folder), tools.state.outputs(place.node).string());
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

/// Whether a variable names a place in a Secret or ConfigMap that is not on this machine.
bool names_absent(std::string_view value, const Leaf::Place& place, const PathMap& paths) {
  for (const auto& [name, mount] : place.resolved.definition->container->mounts) {
    const bool inside = value == mount || value.starts_with(mount + "/");
    if (!inside || place.resolved.volume(name)->kind == Volume::Kind::empty_dir) continue;
    std::error_code ignored;
    if (!std::filesystem::exists(paths.apply(mount), ignored)) return true;
  }
  return false;
}

StepCommand command_of(const Leaf::Place& place, const Scope& scope, const PathMap& paths,
                       const fs::Path& state_folder) {
  const auto& container = *place.resolved.definition->container;
  const auto lookup = scope.lookup();
  // Paths first, values second: what a parameter brings is a path of this machine already.
  const auto put_in = [&](const std::string& text) { return substitute(paths.apply(text), lookup); };
  StepCommand out;
  out.program = fs::Path{container.command.front()}.filename().string();
  for (std::size_t i = 1; i < container.command.size(); ++i) out.arguments.push_back(put_in(container.command[i]));
  for (const auto& argument : container.arguments) out.arguments.push_back(put_in(argument));
  for (const auto& [name, value] : container.environment) {
    // Without a Secret of its own the step has what its caller has: his `docker login`, for one.
    if (!names_absent(value, place, paths)) out.environment.insert_or_assign(name, put_in(value));
  }
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

/// Where an output lies below the run's folder: as paths_of() says, and by no link that the step may have made.
fs::SafePath place_of(const Parameter& output, const Leaf::Place& place, const RunState& state) {
  const auto mounted = locate(*place.resolved.definition->container, output.from->path);
  const fs::Path own{std::string{own_folder} + "/"};
  const auto folder = mounted.rest.starts_with(own.string())
                          ? state.outputs(place.node).parent_path().lexically_relative(state.folder())
                          : fs::Path{"volumes"} / mounted.volume;
  return fs::SafePath::parse((folder / mounted.rest).string());
}

std::string read_output(const Parameter& output, const Leaf::Place& place, const RunState& state) {
  std::string text;
  try {
    text = fs::read_beneath(state.folder(), place_of(output, place, state), max_output_bytes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw error.within(fmt::format("the output '{}'", output.name));
    if (output.from->default_value) return *output.from->default_value;
    throw Error{ErrorKind::invalid_input, fmt::format("the step left no output '{}'", output.name)};
  }
  if (text.ends_with('\n')) text.pop_back();
  if (!utf8::is_valid(text) || text.find('\0') != std::string::npos)
    throw Error{ErrorKind::invalid_input, fmt::format("the output '{}' is no text (UTF-8)", output.name)};
  return text;
}

/// After a success every output without a default must be there; after a failure those count that are.
void read_outputs(Outcome& outcome, const Leaf::Place& place, const RunState& state) {
  for (const auto& output : place.resolved.definition->outputs) {
    try {
      outcome.outputs.insert_or_assign(output.name, read_output(output, place, state));
    } catch (const Error& error) {
      if (outcome.phase != Phase::succeeded) continue;
      outcome.phase = Phase::error;
      outcome.message = error.message();
      return;
    }
  }
}

/// One attempt. A step that could not be started, but perhaps can later (no process, memory or descriptor was to be
/// had), is in Error, as a pod is that could not be made.
Outcome execute(const StepCommand& command, Executor& executor, const std::function<void(std::string_view)>& on_line) {
  try {
    const auto result = executor.execute(command, on_line);
    const bool good = result.exit_code == 0 && !result.timed_out;
    return {good ? Phase::succeeded : Phase::failed, result.exit_code, result.message, {}};
  } catch (const Error& error) {
    if (!retry_helps(error.kind())) throw;
    return {Phase::error, exit_code(error.kind()), error.message(), {}};
  }
}

std::optional<milliseconds> time_limit(const Leaf::Place& place) {
  auto limit = place.resolved.definition->timeout;
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
    if (Clock::now() >= place.deadline) return {Phase::failed, 128 + SIGTERM, "over the workflow's time limit", {}};
    reports.attempt(attempt, outcome.message);
    tools.state.fresh_outputs(place.node);
    command.time_limit = time_limit(place);
    outcome = execute(command, tools.executor, reports.line);
    if (outcome.phase != Phase::error) read_outputs(outcome, place, tools.state);
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    const auto& retry = place.resolved.definition->retry;
    const auto wait = retry ? retry_delay(*retry, outcome, attempt, elapsed) : std::nullopt;
    if (!wait || Clock::now() + *wait >= place.deadline) break;
    std::this_thread::sleep_for(*wait);
  }
  tools.state.remember(place.node, inputs, outcome);
  return outcome;
}

}  // namespace capsule::workflow
