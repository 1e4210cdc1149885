#include "own_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

constexpr std::chrono::seconds patience{20};

fs::Path program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) fs::throw_errno("read", "/proc/self/exe", error.value());
  auto beside = self.parent_path() / "capsule-proof-service";
  if (!std::filesystem::exists(beside, error)) {
    throw Error{ErrorKind::not_found,
                fmt::format("there is no {}: give --proof-service URL", printable(beside.string(), 1024))};
  }
  return beside;
}

process::Command command_for(const fs::Path& state) {
  process::Command command;
  command.program = program().string();
  command.arguments = {"--listen", "127.0.0.1:0", "--database", (state / "proof-service.db").string()};
  command.environment = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  command.on_error_line = [](std::string_view line) { log::info("proof service: " + printable(line, 400)); };
  return command;
}

Url url_in(const std::string& line) {
  const auto value = json::parse(line, "the proof service's first line");
  return Url::parse(json::Cursor{value, "the proof service's first line"}.at("url").string());
}

/// The service is ours, not the capsule's: its end is no failure of the capsule, and its code says whether a retry
/// helps.
ErrorKind kind_of_end(const process::Result& end) {
  constexpr std::array kinds{ErrorKind::usage,    ErrorKind::invalid_input, ErrorKind::not_found, ErrorKind::denied,
                             ErrorKind::conflict, ErrorKind::unavailable,   ErrorKind::timed_out, ErrorKind::busy};
  const auto* const found = std::find_if(kinds.begin(), kinds.end(), [&](ErrorKind kind) {
    return end.end == process::End::exited && end.exit_code == exit_code(kind);
  });
  return found == kinds.end() ? ErrorKind::unavailable : *found;
}

std::string first_line_of(process::Background& service) {
  try {
    return service.first_line(patience);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::capsule_failed) throw;
    throw Error{kind_of_end(service.stop()), error.message()};
  }
}

}  // namespace

OwnService::OwnService(const fs::Path& state)
    : m_process(command_for(state)), m_url(url_in(first_line_of(m_process))) {}

}  // namespace generate_proof
