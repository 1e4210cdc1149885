#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "process/process.hpp"
#include "workflow/executor.hpp"
#include "workflow/token_access.hpp"

namespace capsule::workflow {

namespace {

/// What of our environment a step may see: where its user's configuration and credentials are, how he reaches
/// registries and clusters, and nothing that is secret itself. (What a key on a token needs: token_access.hpp.)
constexpr std::array passed_on{"PATH",
                               "HOME",
                               "LANG",
                               "XDG_CONFIG_HOME",
                               "XDG_STATE_HOME",
                               "SSL_CERT_FILE",
                               "NO_COLOR",
                               "DOCKER_CONFIG",
                               "REGISTRY_AUTH_FILE",
                               "KUBECONFIG",
                               "KUBERNETES_SERVICE_HOST",  // where a pod's own cluster is
                               "KUBERNETES_SERVICE_PORT",
                               "ARGO_WORKFLOW_NAME",
                               "ARGO_WORKFLOW_UID",
                               "XDG_RUNTIME_DIR",
                               "CAPSULE_INSECURE_REGISTRY",
                               "CAPSULE_AUTH_HOST",
                               "CAPSULE_REGISTRY_CA",
                               "CAPSULE_REGISTRY_TIMEOUT"};

const char* own_variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
}

/// A template names an image that an overlay replaces; whoever calls us in a pod, or for a cluster, knows the real one.
bool names_image(std::string_view variable) {
  return variable.starts_with("CAPSULE_") && variable.ends_with("_IMAGE");
}

std::map<std::string, std::string> environment_of(const StepCommand& command, const std::vector<std::string>& further) {
  std::map<std::string, std::string> out;
  const auto pass_on = [&out](const char* name) {
    if (const char* value = own_variable(name); value != nullptr) out.emplace(name, value);
  };
  for (const char* name : passed_on) pass_on(name);
  for (const auto& name : further) pass_on(name.c_str());
  if (names_token_key(command)) {
    for (const char* name : token_variables) pass_on(name);
  }
  for (const auto& [name, value] : command.environment) {
    const char* const ours = names_image(name) ? own_variable(name.c_str()) : nullptr;
    out.insert_or_assign(name, ours == nullptr ? value : ours);
  }
  return out;
}

/// A line as steps write it in a pod: a JSON object, whose message is meant. Empty: it is none.
std::string message_of_record(std::string_view line) {
  if (!line.starts_with('{')) return "";
  try {
    const auto record = json::parse(line, "a line");
    const auto* const fields = record.if_object();
    const auto* const message = fields == nullptr ? nullptr : fields->find("message");
    const auto* const text = message == nullptr ? nullptr : message->if_string();
    return text == nullptr ? "" : printable(*text, 1000);
  } catch (const Error&) {
    return "";
  }
}

/// A step's own error line, without "capsule-x: error: " in front.
std::string message_in(std::string_view error_output) {
  while (error_output.ends_with('\n')) error_output.remove_suffix(1);
  auto line = error_output.substr(error_output.rfind('\n') + 1);
  if (auto message = message_of_record(line); !message.empty()) return message;
  constexpr std::string_view mark = ": error: ";
  if (const auto at = line.find(mark); at != std::string_view::npos) line.remove_prefix(at + mark.size());
  return printable(line, 1000);
}

/// As a container's status has it; for a step that was ended because of its output, the code of no good program.
int exit_code_of(const process::Result& result) {
  switch (result.end) {
    case process::End::exited:
      return result.exit_code;
    case process::End::signalled:
      return 128 + result.signal;
    case process::End::timed_out:
      return 128 + SIGTERM;
    case process::End::output_limit:
    case process::End::memory_limit:
    case process::End::process_limit:
    case process::End::disk_limit:
    case process::End::volume_limit:
      break;
  }
  return exit_code(ErrorKind::capsule_failed);
}

}  // namespace

StepResult ProcessExecutor::execute(const StepCommand& command, const std::function<void(std::string_view)>& on_line) {
  const auto program = m_folder / command.program;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(program, ignored) || ::access(program.c_str(), X_OK) != 0) {
    throw Error{ErrorKind::usage,
                fmt::format("the step's program {} is not there: is it built, or installed beside capsule-run?",
                            printable(program.string(), 1024))};
  }
  const char* const module = own_variable("CAPSULE_PKCS11_MODULE");
  check_module(command, module == nullptr ? "" : module);
  process::Command child;
  child.program = program.string();
  child.arguments = command.arguments;
  child.environment = environment_of(command, m_passed_on);
  child.time_limit = command.time_limit;
  child.on_error_line = on_line;
  child.spares_detached = true;  // the agent of a warm pool
  const auto result = process::run(child);
  StepResult out;
  out.timed_out = result.end == process::End::timed_out;
  out.exit_code = exit_code_of(result);
  if (!result.succeeded()) {
    const bool by_us = out.timed_out || result.end == process::End::output_limit;
    out.message = by_us ? result.describe() : message_in(result.error_output);
    if (out.message.empty()) out.message = result.describe();
  }
  return out;
}

}  // namespace capsule::workflow
