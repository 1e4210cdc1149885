#include "deploy/this_host.hpp"

#include "core/error.hpp"

namespace capsule::deploy {

namespace {

std::vector<crypto::PublicKey> utid_keys(const Certifiers& certifiers, const std::string& node) {
  if (certifiers.of_one_key) return {};
  try {
    return certifiers.trust.keys(attest::Role::utid, node);
  } catch (const Error&) {
    return {};  // there are none for this name
  }
}

}  // namespace

HostIdentityCheck identity_check(const Certifiers& certifiers, const std::string& node_name,
                                 const std::string& node_id) {
  const auto is_revoked = [&trust = certifiers.trust](const Digest& digest) {
    try {
      trust.check_revoked(digest);
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  return {node_name, node_id, utid_keys(certifiers, node_name), is_revoked, now()};
}

Host look_at_host(const fs::Path& state_folder, const fs::Path& identity_file, const Certifiers& certifiers) {
  auto host = inspect_host(state_folder);
  const auto file = identity_file.empty() ? state_folder / "host-identity.json" : identity_file;
  host.identity = read_host_identity(file, identity_check(certifiers, host.name, host.id));
  return host;
}

}  // namespace capsule::deploy
