#pragma once

#include "json/cursor.hpp"
#include "kube/kubeconfig.hpp"

namespace capsule::kube {

/// A source of nothing.
std::shared_ptr<CredentialSource> no_credentials();

/// Who we are, from a user's entry: certificate, token, tokenFile, exec, impersonation. Error usage for what kubectl
/// does no longer (auth-provider, username) and what cannot be together.
void read_user(Config& out, const Entry& user, const std::string& name, const Entry& cluster);

/// A file that holds a token: read each time, since it rotates; without a readable one, `otherwise`.
std::shared_ptr<CredentialSource> token_file(const std::string& file, Secret otherwise = {});

}  // namespace capsule::kube
