#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/secret.hpp"
#include "core/url.hpp"
#include "http/client.hpp"
#include "oci/credentials.hpp"
#include "oci/token_scope.hpp"

namespace capsule::oci {

/// What a Bearer challenge asks to be brought from elsewhere.
struct TokenQuestion {
  Url realm;
  std::string service;
  Scopes scopes;
};

struct Token {
  Secret value;
  std::chrono::seconds lifetime{60};
};

/// Asks a token server (distribution's token authentication): by POST with a refresh token where the credentials are an
/// identity token (OAuth 2), else by GET, with the user's password or as nobody. `led_from` is where the registry is
/// that named the realm. Redirects are not followed: the realm was allowed, not what lies behind it. Errors: denied
/// (refused, or an address that is not for it), those of http::Client and of the status, invalid_input (no token in the
/// answer). The body of the answer is in no message.
Token request_token(http::Client& client, const TokenQuestion& question,
                    const std::optional<RegistryCredentials>& credentials, http::AddressClass led_from);

/// "Basic …" of RFC 7617. Error usage for a user's name that holds a colon.
Secret basic_credentials(const RegistryCredentials& credentials);

}  // namespace capsule::oci
