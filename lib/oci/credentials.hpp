#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace capsule::oci {

/// Who we are for a registry. At most one of the three secrets is there.
struct RegistryCredentials {
  std::string username;
  Secret password;
  Secret identity_token;  ///< a refresh token, to be changed into tokens at the token server (OAuth 2)
  Secret registry_token;  ///< a token to be sent as it is
  std::string source;     ///< where they are from, for messages: a file or a credential helper
};

/// Where credentials are looked up, once per registry, when it asks for some: for `host`, HOST[:PORT] as the user wrote
/// it, and a repository there. Nothing: nobody is known there, or by a name only that has no secret.
class CredentialsSource {
 public:
  CredentialsSource() = default;
  CredentialsSource(const CredentialsSource&) = delete;
  CredentialsSource& operator=(const CredentialsSource&) = delete;
  virtual ~CredentialsSource() = default;
  [[nodiscard]] virtual std::optional<RegistryCredentials> find(std::string_view host, std::string_view repository) = 0;
  /// Where it looks, for the message of whoever found nothing.
  [[nodiscard]] virtual std::string places() const = 0;
};

}  // namespace capsule::oci
