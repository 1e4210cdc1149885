#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fs/fd.hpp"
#include "http/proxy.hpp"
#include "oci/credentials.hpp"

namespace capsule::oci {

/// A file of credentials; one that was named must be readable, one of the usual places need not be.
struct CredentialsFile {
  fs::Path path;
  bool named = false;
};

/// The files of `docker login` and `podman login`, the first first. Those that the environment names are the only ones:
/// $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json; else $XDG_RUNTIME_DIR/containers/auth.json,
/// ${XDG_CONFIG_HOME:-~/.config}/containers/auth.json, ~/.docker/config.json.
std::vector<CredentialsFile> credentials_files(const http::Environment& environment);

/// How a credential helper is asked; see ask_credential_helper.
using AskHelper = std::function<std::optional<RegistryCredentials>(std::string_view helper, std::string_view server)>;

/// Credentials as Docker and Podman keep them (docker config.json, containers-auth.json(5)): of the first file that has
/// some for a host; there, of the host's entry in credHelpers, else of credsStore, and else of the entry in auths that
/// fits best: "HOST/PATH" before "HOST", which may also be written "https://HOST/v1/". Read when it is asked for. A
/// file that is none is Error usage; no value of it is in a message.
class DockerConfig final : public CredentialsSource {
 public:
  DockerConfig(std::vector<CredentialsFile> files, AskHelper ask_helper);
  std::optional<RegistryCredentials> find(std::string_view host, std::string_view repository) override;
  [[nodiscard]] std::string places() const override;

 private:
  std::vector<CredentialsFile> m_files;
  AskHelper m_ask_helper;
};

}  // namespace capsule::oci
