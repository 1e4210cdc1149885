#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/secret.hpp"
#include "core/url.hpp"

namespace capsule::kube {

/// What shows the apiserver who we are; each part may be empty. Certificate and key are PEM texts and come together.
struct Credentials {
  Secret token;
  std::string certificate;
  Secret key;
};

/// Where credentials come from: a file may have been rotated, a plug-in's may have expired.
class CredentialSource {
 public:
  CredentialSource() = default;
  CredentialSource(const CredentialSource&) = delete;
  CredentialSource& operator=(const CredentialSource&) = delete;
  virtual ~CredentialSource() = default;
  /// Asked before each request; has to be cheap as a rule.
  virtual Credentials current() = 0;
  /// The last ones were refused (401): whether asking again may give others.
  virtual bool renew() { return false; }
};

/// One cluster, and as whom we speak to it.
struct Config {
  Url server = Url::parse("https://localhost");  ///< may have a path, as behind a gateway
  std::string ca_certificates;                   ///< PEM; empty: those that the system trusts
  std::string tls_server_name;                   ///< empty: the host of `server`
  std::optional<Secret> proxy;                   ///< URL; without one, what the environment says
  std::string ns;                                ///< that of the context or of our own pod; "default" without one
  std::string account;                           ///< for messages: "user 'kind' of context 'kind'"
  std::string source;                            ///< for messages: the file, or "the service account of this pod"
  std::shared_ptr<CredentialSource> credentials;
  std::vector<std::pair<std::string, std::string>> impersonation;  ///< headers, `Impersonate-User` first
};

/// What load() looks at; tests bring their own.
struct Surroundings {
  std::function<const char*(const char*)> environment;
  std::string service_account;  ///< the folder that a pod's service account is mounted at

  static Surroundings real();
};

struct Choice {
  std::string kubeconfig;  ///< a file, in place of KUBECONFIG
  std::string context;     ///< in place of current-context
};

/// The cluster that kubectl would speak to: a kubeconfig (`choice`, KUBECONFIG, ~/.kube/config), else, in a pod, its
/// service account. Error usage: there is neither, a file is malformed, a context, cluster or user is not there, or
/// something is asked for that is not done here (insecure-skip-tls-verify above all: TLS is always verified);
/// not_found, denied for a file.
Config load(const Choice& choice = {}, const Surroundings& surroundings = Surroundings::real());

/// Of a pod: KUBERNETES_SERVICE_HOST and the mounted service account, whose token is read again each time. Nothing
/// where we are in none.
std::optional<Config> in_cluster(const Surroundings& surroundings);

}  // namespace capsule::kube
