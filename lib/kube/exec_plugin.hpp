#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "json/cursor.hpp"
#include "kube/kubeconfig.hpp"

namespace capsule::kube {

/// A program that gives credentials (kubernetes.io, "client-go credential plugins").
struct ExecPlugin {
  std::string command;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  ///< beside what we have ourselves
  std::string api_version;                         ///< client.authentication.k8s.io/v1 or v1beta1
  std::string install_hint;
  std::optional<json::Object> cluster;  ///< with provideClusterInfo: what KUBERNETES_EXEC_INFO says of it
};

/// What a plug-in gave.
struct ExecCredential {
  Credentials credentials;
  std::optional<Time> expires;
};

/// How long a plug-in may take, which may speak to somebody.
constexpr std::chrono::seconds exec_patience{60};

/// Reads `exec` of a user in `file`. Error usage for another API version, and for interactiveMode Always: nobody sits
/// at the terminal of a step.
ExecPlugin read_exec_plugin(const json::Cursor& exec, const std::string& file, const Entry& cluster);

/// Reads what a plug-in wrote: an ExecCredential of `api_version` with a token, or with a certificate and its key.
/// Error denied, which quotes nothing of it.
ExecCredential read_exec_credential(const std::string& output, const ExecPlugin& plugin);

/// Runs it. Error usage: it is not there (with its installHint); denied: it fails or writes something else; timed_out.
/// What it writes to stderr goes to the log.
ExecCredential run_exec_plugin(const ExecPlugin& plugin, std::chrono::milliseconds patience = exec_patience);

/// The same as a source: run when first asked, when what it gave has expired, and when that was refused.
std::shared_ptr<CredentialSource> exec_plugin(const json::Cursor& exec, const std::string& file, const Entry& cluster);

}  // namespace capsule::kube
