#include "deploy/this_machine.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/energy.hpp"
#include "deploy/sandbox.hpp"
#include "fs/atomic_file.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_result_bytes = std::size_t{16} << 20U;

/// The last line of a program's stderr: usually what went wrong.
std::string last_words(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto line = text.substr(text.rfind('\n') + 1);
  return line.empty() ? "it said nothing on stderr" : printable(line, 400);
}

[[noreturn]] void failed(std::string_view what, const process::Result& result) {
  const auto kind = result.end == process::End::timed_out ? ErrorKind::timed_out : ErrorKind::capsule_failed;
  throw Error{kind,
              fmt::format("the capsule's {} failed, {}: {}", what, result.describe(), last_words(result.error_output))};
}

/// The result is the last line of stdout, one JSON object.
json::Value result_in(std::string_view output, const std::string& entrypoint) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  const auto line = output.substr(output.rfind('\n') + 1);
  const auto fail = [&](std::string_view reason) {
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the last line of {}'s stdout is not its result, one JSON object: {}", entrypoint, reason)};
  };
  if (line.empty()) fail("there is none");
  json::Value value;
  try {
    value = json::parse(line, "the result", {max_result_bytes, 32});
  } catch (const Error& error) {
    fail(error.message());
  }
  if (!value.is_object()) fail(fmt::format("it is {}", value.type_name()));
  return value;
}

constexpr std::size_t max_logged_lines = 200;

/// Passes on what capsule code says on stderr, up to a number of lines: it may talk without end.
std::function<void(std::string_view)> excerpt_of(const std::string& what) {
  return [what, count = std::size_t{0}](std::string_view line) mutable {
    if (count < max_logged_lines) log::info(fmt::format("{}: {}", what, printable(line, 400)));
    if (count == max_logged_lines)
      log::info(fmt::format("{}: … the lines after the first {} are left out", what, count));
    ++count;
  };
}

/// Runs a file of the capsule. What keeps it from starting (no such interpreter, no `#!` line, a broken ELF file) is
/// the capsule's own fault.
process::Result run_file(const std::string& what, const CapsuleCall& call,
                         const std::function<void(process::Command&)>& configure) {
  require_passable(call.root);
  try {
    auto command = capsule_command(call);
    command.on_error_line = excerpt_of(what);
    configure(command);
    return process::run(command);
  } catch (const Error& error) {
    if (retry_helps(error.kind()) || error.kind() == ErrorKind::unmet_requirement) throw;
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the capsule's {} cannot be started: {}", call.file, error.message())};
  }
}

/// What held of the confinement, and what was not to be had: the record says both.
json::Value confinement_of(const process::Result& result) {
  json::Array held;
  for (const auto& part : result.held) held.emplace_back(part);
  json::Array missing;
  for (const auto& part : result.missing) missing.emplace_back(part);
  return json::Object{{"held", std::move(held)}, {"missing", std::move(missing)}};
}

}  // namespace

ThisMachine::ThisMachine(ThisMachineOptions options)
    : m_options(std::move(options)), m_host(inspect_host(m_options.state_folder)) {}

std::string ThisMachine::id() const {
  return fmt::format("this-machine:{}", m_host.id);
}

CapabilityReport ThisMachine::check(const Manifest& manifest, const std::vector<std::string>& allowed) const {
  return check_capabilities(manifest, m_host, allowed);
}

fs::Path ThisMachine::data_folder(const VerifiedCapsule& capsule) const {
  return m_options.state_folder / "data" / std::string{capsule.capsule_digest().hex()};
}

void ThisMachine::run_script(const VerifiedCapsule& capsule, const fs::Path& root, const std::string& script) {
  if (capsule.files().find(script) == nullptr) return;
  const auto result = run_file(script, {root, script, data_folder(capsule)},
                               [&](process::Command& command) { command.time_limit = m_options.time_limit; });
  if (!result.succeeded()) failed(script, result);
}

void ThisMachine::prepare(const VerifiedCapsule& capsule, const fs::Path& root) {
  // Outside of the folder that the capsule may write: it cannot claim to be installed.
  const auto mark = m_options.state_folder / "installed" / std::string{capsule.capsule_digest().hex()};
  if (!std::filesystem::exists(mark)) {
    run_script(capsule, root, "scripts/install.sh");
    std::filesystem::create_directories(mark.parent_path());
    fs::write_file(mark, "");
  }
  run_script(capsule, root, "scripts/healthcheck.sh");
}

RunFacts ThisMachine::run(const VerifiedCapsule& capsule, const fs::Path& root, const RunRequest& request) {
  const auto& entrypoint = capsule.manifest().entrypoint;
  const EnergyMeter meter{m_options.watts};
  const auto started_at = now();
  const auto result = run_file("run", {root, entrypoint, data_folder(capsule)}, [&](process::Command& command) {
    command.time_limit = m_options.time_limit;
    command.input = json::compact(request.input()) + "\n";
    command.output_limit = max_result_bytes;
  });
  const auto finished_at = now();
  if (!result.succeeded()) failed(fmt::format("run of {}", entrypoint), result);
  const auto energy = meter.stop(result.usage.cpu);
  m_confinement = confinement_of(result);
  return {started_at,
          finished_at,
          result.exit_code,
          result_in(result.output, entrypoint),
          static_cast<std::uint64_t>(result.usage.cpu.count()),
          result.usage.max_rss_bytes,
          energy.joules,
          energy.estimated,
          crypto::sha256(result.error_output)};
}

RunPlace ThisMachine::place() const {
  return {m_host.name, {}, m_host.gpus, {}, m_confinement};
}

}  // namespace capsule::deploy
