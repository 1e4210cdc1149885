#include "attest/own_key.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::attest {

fs::Path own_key_folder(const fs::Path& state, Role role) {
  return state / fmt::format("secrets/capsule-key-{}", name_of(role));
}

std::string own_key(const std::string& given, const fs::Path& state, Role role) {
  return given.empty() ? (own_key_folder(state, role) / "key.pem").string() : given;
}

void require_own_key(const TrustPolicy& trust, Role role, std::string_view name, const crypto::PublicKey& key) {
  const auto keys = trust.keys(role, name);
  if (std::any_of(keys.begin(), keys.end(), [&](const auto& accepted) { return accepted.id() == key.id(); })) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("the trust policy does not accept the key {} for the {} of '{}': nobody would believe it",
                          key.id(), name_of(role), printable(name))};
}

}  // namespace capsule::attest
