#include "kube/exec_plugin.hpp"

#include <fmt/format.h>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/write.hpp"
#include "kube/kubeconfig_entry.hpp"
#include "log/log.hpp"
#include "process/helper.hpp"
#include "process/process.hpp"
#include "yaml/parse.hpp"

namespace capsule::kube {

namespace {

constexpr std::size_t answer_limit = std::size_t{1} << 20U;

class ExecSource final : public CredentialSource {
 public:
  explicit ExecSource(ExecPlugin plugin) : m_plugin(std::move(plugin)) {}

  Credentials current() override {
    if (!m_last || (m_last->expires && now() >= *m_last->expires)) m_last = run_exec_plugin(m_plugin);
    return m_last->credentials;
  }
  bool renew() override {
    m_last.reset();
    return true;
  }

 private:
  ExecPlugin m_plugin;
  std::optional<ExecCredential> m_last;
};

/// The fields of a kubeconfig's cluster as ExecCredential names them (spec.cluster).
json::Object cluster_info(const Entry& cluster) {
  json::Object out;
  const json::Cursor top{cluster.value, cluster.file, ErrorKind::usage};
  const auto copy = [&](std::string_view from) {
    if (const auto text = text_of(top, from); !text.empty()) out.set(from, text);
  };
  copy("server");
  copy("tls-server-name");
  copy("proxy-url");
  const auto ca = pem_of(top, "certificate-authority", cluster.file);
  if (!ca.empty()) out.set("certificate-authority-data", to_base64(as_bytes(ca)));
  if (const auto extensions = top.optional("extensions"); extensions && extensions->value().is_array()) {
    for (const auto& extension : extensions->elements()) {
      if (extension.at("name").string() == "client.authentication.k8s.io/exec")
        out.set("config", extension.at("extension").value());
    }
  }
  return out;
}

std::string exec_info(const ExecPlugin& plugin) {
  json::Object spec{{"interactive", false}};
  if (plugin.cluster) spec.set("cluster", *plugin.cluster);
  return json::compact(
      json::Object{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", std::move(spec)}});
}

std::string program_of(const ExecPlugin& plugin) {
  if (plugin.command.find('/') != std::string::npos) return plugin.command;
  const auto found = process::find_program(plugin.command);
  return found ? *found : std::string{};
}

[[noreturn]] void missing(const ExecPlugin& plugin) {
  const auto hint = plugin.install_hint.empty() ? std::string{} : ": " + printable(plugin.install_hint, 500);
  throw Error{ErrorKind::usage, fmt::format("the credential plug-in {} of the kubeconfig is not there{}",
                                            printable(plugin.command), hint)};
}

}  // namespace

ExecPlugin read_exec_plugin(const json::Cursor& exec, const std::string& file, const Entry& cluster) {
  ExecPlugin out;
  out.command = exec.at("command").string();
  if (out.command.empty()) exec.at("command").fail("names no program");
  if (out.command.find('/') != std::string::npos) out.command = beside(file, out.command);
  out.api_version = exec.at("apiVersion").string();
  if (out.api_version != "client.authentication.k8s.io/v1" && out.api_version != "client.authentication.k8s.io/v1beta1")
    exec.at("apiVersion").fail("is neither client.authentication.k8s.io/v1 nor …/v1beta1");
  const auto mode = text_of(exec, "interactiveMode");
  if (mode == "Always") {
    exec.at("interactiveMode").fail("asks at a terminal, which a step has not got; use a plug-in that can do without");
  }
  if (mode.empty() && out.api_version.ends_with("/v1")) exec.fail("lacks interactiveMode (Never, IfAvailable)");
  if (!mode.empty() && mode != "Never" && mode != "IfAvailable")
    exec.at("interactiveMode").fail("is none of Never, IfAvailable, Always");
  if (const auto arguments = exec.optional("args"); arguments && !arguments->value().is_null()) {
    for (const auto& argument : arguments->elements()) out.arguments.push_back(argument.string());
  }
  if (const auto variables = exec.optional("env"); variables && !variables->value().is_null()) {
    for (const auto& variable : variables->elements())
      out.environment[variable.at("name").string()] = text_of(variable, "value");
  }
  out.install_hint = text_of(exec, "installHint");
  if (truth_of(exec, "provideClusterInfo")) out.cluster = cluster_info(cluster);
  return out;
}

ExecCredential read_exec_credential(const std::string& output, const ExecPlugin& plugin) {
  std::string wrong = "writes no ExecCredential of " + plugin.api_version;
  try {
    const auto value = yaml::parse(output, plugin.command);  // or JSON, which is YAML
    const json::Cursor top{value, plugin.command};
    if (text_of(top, "kind") == "ExecCredential" && text_of(top, "apiVersion") == plugin.api_version) {
      wrong = "writes an ExecCredential without a usable status";
      const auto status = top.at("status");
      ExecCredential out{{Secret{text_of(status, "token")}, text_of(status, "clientCertificateData"),
                          Secret{text_of(status, "clientKeyData")}},
                         {}};
      if (const auto expires = text_of(status, "expirationTimestamp"); !expires.empty())
        out.expires = parse_time(expires);
      const bool is_whole = out.credentials.certificate.empty() == out.credentials.key.empty();
      if (is_whole && (!out.credentials.token.empty() || !out.credentials.key.empty())) return out;
      wrong = "gives neither a token nor a certificate with its key";
    }
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the reason could quote a token
  }
  throw Error{ErrorKind::denied, fmt::format("the credential plug-in {} {}", printable(plugin.command), wrong)};
}

ExecCredential run_exec_plugin(const ExecPlugin& plugin, std::chrono::milliseconds patience) {
  process::Command command;
  command.program = program_of(plugin);
  if (command.program.empty()) missing(plugin);
  command.arguments = plugin.arguments;
  command.environment = process::environment_for_helper();
  for (const auto& [name, value] : plugin.environment) command.environment[name] = value;
  command.environment["KUBERNETES_EXEC_INFO"] = exec_info(plugin);
  command.time_limit = patience;
  command.output_limit = answer_limit;
  command.on_error_line = [&](std::string_view line) {
    log::info(fmt::format("{}: {}", printable(plugin.command), printable(line, 500)));
  };
  process::Result result;
  try {
    result = process::run(command);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) missing(plugin);
    throw Error{ErrorKind::usage, fmt::format("the credential plug-in {} of the kubeconfig does not start: {}",
                                              printable(plugin.command), error.message())};
  }
  if (result.succeeded()) return read_exec_credential(result.output, plugin);
  const bool is_late = result.end == process::End::timed_out;
  throw Error{
      is_late ? ErrorKind::timed_out : ErrorKind::denied,
      fmt::format("the credential plug-in {} of the kubeconfig gives nothing: {}; call it by hand, or renew your "
                  "login (below capsule-run it has those of your variables that --pass-env names)",
                  printable(plugin.command), result.describe())};
}

std::shared_ptr<CredentialSource> exec_plugin(const json::Cursor& exec, const std::string& file, const Entry& cluster) {
  return std::make_shared<ExecSource>(read_exec_plugin(exec, file, cluster));
}

}  // namespace capsule::kube
