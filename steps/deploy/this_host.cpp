#include "this_host.hpp"

#include "core/error.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// The keys that may certify a node. None with --key: whoever may sign a capsule may not certify machines by that.
std::vector<crypto::PublicKey> utid_keys(const Options& options, const attest::TrustPolicy& trust,
                                         const std::string& node) {
  if (!options.key.empty()) return {};
  try {
    return trust.keys(attest::Role::utid, node);
  } catch (const Error&) {
    return {};  // there are none for this name
  }
}

}  // namespace

deploy::Host look_at_host(const Options& options, const fs::Path& state, const attest::TrustPolicy& trust) {
  auto host = deploy::inspect_host(state);
  const auto file = options.host_identity.empty() ? state / "host-identity.json" : options.host_identity;
  const auto is_revoked = [&](const Digest& digest) {
    try {
      trust.check_revoked(digest);
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  host.identity =
      deploy::read_host_identity(file, {host.name, host.id, utid_keys(options, trust, host.name), is_revoked, now()});
  return host;
}

}  // namespace deploy_step
