#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/secret.hpp"
#include "crypto/key.hpp"
#include "fs/fd.hpp"

namespace sign {

struct KeyFiles {
  capsule::fs::Path private_key;
  capsule::fs::Path public_key;
  std::string id;        ///< crypto::PublicKey::id
  bool is_fresh = true;  ///< false: the private key was there already
};

/// Makes a key pair as two PEM files, the private one readable by its owner alone, or completes one that is there: a
/// private key is never overwritten. Error conflict where a key of another type, or a public key that does not belong,
/// is in the way. The folder must exist.
KeyFiles generate_key_files(const KeyFiles& where, std::optional<capsule::crypto::KeyType> type,
                            const std::optional<capsule::Secret>& passphrase);

/// `<prefix>.pem` and `<prefix>.pub.pem`.
KeyFiles key_files_of_prefix(const std::string& prefix);

struct StateKeys {
  std::vector<KeyFiles> keys;          ///< of the roles capsule, proof, index, log
  capsule::fs::Path trust;             ///< the trust policy
  std::vector<std::string> untrusted;  ///< roles whose key the policy that was there already does not trust
};

/// Makes what is missing of `<state>/secrets/capsule-key-<role>/{key.pem,key.pub.pem}` (not encrypted; the folder
/// `secrets` is its owner's alone) and of `<state>/configmaps/capsule-trust/trust.yaml`, which trusts exactly those
/// keys.
StateKeys generate_state_keys(const capsule::fs::Path& state);

}  // namespace sign
