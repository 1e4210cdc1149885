#include "workflow/run_state.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::workflow {

namespace {

constexpr std::size_t max_result_bytes = std::size_t{4} << 20U;
/// A source may be a URL whose signature lets anybody fetch it.
constexpr mode_t mode_of_values = 0600;

void make_folder(const fs::Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error == std::errc::file_exists || error == std::errc::not_a_directory) {
    throw Error{ErrorKind::conflict,
                fmt::format("cannot create the folder {}: in its place, or above it, is a file or a link that leads "
                            "nowhere: remove that",
                            printable(folder.string(), 1024))};
  }
  if (error) fs::throw_errno("create the folder", folder, error.value());
}

}  // namespace

std::string_view name_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::pending:
      return "Pending";
    case Phase::running:
      return "Running";
    case Phase::succeeded:
      return "Succeeded";
    case Phase::failed:
      return "Failed";
    case Phase::error:
      return "Error";
    case Phase::skipped:
      return "Skipped";
    case Phase::omitted:
      return "Omitted";
  }
  return "?";
}

RunState::RunState(const fs::Path& state_folder, const std::string& run_id) : m_folder(state_folder / "runs" / run_id) {
  make_folder(m_folder);
  // Values lie here alone. The volumes beside it hold what a user takes away, with the modes that his umask gives.
  ::mkdir((m_folder / "nodes").c_str(), S_IRWXU);  // whatever is there instead: make_folder() says so, of the node
  try {
    m_lock = std::make_unique<fs::FileLock>(m_folder / ".lock", std::chrono::milliseconds{0});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::busy) throw;
    throw Error{
        ErrorKind::busy,
        fmt::format("the run {} is in progress in another process: wait for it, or start another with --new", run_id)};
  }
}

fs::Path RunState::node_folder(const std::string& node) const {
  auto name = node;
  std::replace(name.begin(), name.end(), '/', '.');
  // A file's name has at most 255 bytes.
  constexpr std::size_t longest = 180;
  if (name.size() > longest) name = fmt::format("{}-{}", name.substr(0, longest), crypto::sha256(node).hex());
  return m_folder / "nodes" / name;
}

fs::Path RunState::outputs(const std::string& node) const {
  return node_folder(node) / "outputs";
}

fs::Path RunState::volume(const std::string& name) const {
  auto folder = m_folder / "volumes" / name;
  make_folder(folder);
  return folder;
}

fs::Path RunState::fresh_outputs(const std::string& node) {
  auto folder = outputs(node);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  make_folder(folder);
  return folder;
}

std::optional<Outcome> RunState::succeeded(const std::string& node, const Digest& inputs) const {
  const auto file = node_folder(node) / "result.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    const auto value = json::parse(fs::read_file(file, max_result_bytes), file.string());
    const json::Cursor top{value, file.string()};
    if (top.at("inputs").string() != inputs.text() || top.at("phase").string() != name_of(Phase::succeeded))
      return std::nullopt;
    Outcome out{Phase::succeeded, 0, "kept from before: its inputs are the same", {}};
    for (const auto& [name, output] : top.at("outputs").members()) out.outputs.emplace(name, output.string());
    return out;
  } catch (const Error& error) {
    // What cannot be read is no success; the step is run again.
    log::warning(fmt::format("{} is left aside: {}", node, error.message()));
    return std::nullopt;
  }
}

void RunState::remember(const std::string& node, const Digest& inputs, const Outcome& outcome) {
  json::Object outputs;
  for (const auto& [name, value] : outcome.outputs) outputs.set(name, value);
  make_folder(node_folder(node));
  fs::write_file(node_folder(node) / "result.json",
                 json::pretty(json::Object{{"phase", name_of(outcome.phase)},
                                           {"exit_code", outcome.exit_code},
                                           {"message", outcome.message},
                                           {"inputs", inputs.text()},
                                           {"outputs", std::move(outputs)}}),
                 mode_of_values);
}

void RunState::remember_workflow(std::string_view text) {
  fs::write_file(m_folder / "workflow.json", text, mode_of_values);
}

}  // namespace capsule::workflow
