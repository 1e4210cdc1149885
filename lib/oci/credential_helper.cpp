#include "oci/credential_helper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "process/helper.hpp"
#include "process/process.hpp"

namespace capsule::oci {

namespace {

constexpr std::chrono::seconds patience{30};
constexpr std::size_t answer_limit = std::size_t{1} << 20U;
/// What a helper says, and the user name that it gives, are fixed words of the protocol.
constexpr std::string_view not_found_words = "credentials not found in native keychain";
constexpr std::string_view identity_token_user = "<token>";

bool is_helper_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

RegistryCredentials read_answer(const std::string& output, const std::string& program) {
  try {
    const auto value = json::parse(output, program);
    const json::Cursor top{value, program};
    RegistryCredentials out{top.at("Username").string(), {}, {}, {}, program};
    Secret secret{top.at("Secret").string()};
    (out.username == identity_token_user ? out.identity_token : out.password) = std::move(secret);
    return out;
  } catch (const Error&) {
    // The reason could quote the answer.
    throw Error{ErrorKind::denied, fmt::format("{} answers with no JSON object of Username and Secret", program)};
  }
}

}  // namespace

std::optional<RegistryCredentials> ask_credential_helper(std::string_view name, std::string_view server) {
  if (!is_helper_name(name))
    throw Error{ErrorKind::usage, fmt::format("no credential helper can be named '{}'", printable(name))};
  const auto program = fmt::format("docker-credential-{}", name);
  const auto path = process::find_program(program);
  if (!path) throw Error{ErrorKind::usage, fmt::format("the credential helper {} is not in PATH", program)};
  process::Command command;
  command.program = *path;
  command.arguments = {"get"};
  command.environment = process::environment_for_helper();
  command.input = server;
  command.time_limit = patience;
  command.output_limit = answer_limit;
  const auto result = process::run(command);
  if (result.succeeded()) return read_answer(result.output, program);
  if (result.end == process::End::exited && result.output.find(not_found_words) != std::string::npos)
    return std::nullopt;
  throw Error{result.end == process::End::timed_out ? ErrorKind::timed_out : ErrorKind::denied,
              fmt::format("the credential helper {} has nothing for {}: {}; see what `echo {} | {} get` says", program,
                          printable(server), result.describe(), printable(server), program)};
}

}  // namespace capsule::oci
