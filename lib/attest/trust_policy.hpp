#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "crypto/key.hpp"

namespace capsule::attest {

enum class Role { capsule, proof, index, log, utid };
std::string_view name_of(Role role) noexcept;

/// Whom the caller trusts, for what (README.md, "Whom to trust"). Keys never come from the thing that is verified.
///
///     version: 1
///     capsule:                          # a role; also proof, index, log, utid
///       - names: ["m2n2-*"]             # '*' stands for any text; absent: every name
///         keys:
///           - |
///             -----BEGIN PUBLIC KEY-----
///             …
///           - file: team.pub.pem        # relative to this file
///         threshold: 1                  # how many of the keys must have signed
///     log:
///       - keys: ["<name>+<8 hex>+<base64>"]   # a C2SP vkey holds the log's name itself; PEM is fine too
///     revoked: ["sha256:…"]             # capsules, packages, bundles; keys by the SHA-256 of their DER SPKI
///
/// Per role the first rule that fits the name counts, alone. For the role log, the name is the log's.
class TrustPolicy {
 public:
  /// One YAML document. Error usage with the path of the fault; an unknown field is one. PEM keys stand in the file, or
  /// as `file:` relative to it.
  static TrustPolicy from_file(const std::string& path);
  /// The same from a text; `folder` is where `file:` looks.
  static TrustPolicy parse(std::string_view text, std::string_view what, const std::string& folder);
  /// `--key PUB`: one key in all the roles that the step needs, for any name.
  static TrustPolicy from_key(crypto::PublicKey key);

  /// The keys that may act in `role` for the capsule `name`, revoked ones left out. Error usage where there are none:
  /// nothing is ever accepted unverified.
  [[nodiscard]] std::vector<crypto::PublicKey> keys(Role role, std::string_view name) const;
  /// How many of them must have signed.
  [[nodiscard]] unsigned threshold(Role role, std::string_view name) const;
  /// Error verification_failed if the digest is revoked.
  void check_revoked(const Digest& digest) const;

  struct Rule {
    Role role{};
    std::vector<std::string> names;  ///< glob patterns with '*'; empty: any
    std::vector<crypto::PublicKey> keys;
    unsigned threshold = 1;
  };
  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return m_rules; }

 private:
  [[nodiscard]] const Rule& rule_for(Role role, std::string_view name) const;
  std::vector<Rule> m_rules;
  std::vector<Digest> m_revoked;
};

/// `--trust FILE`, else `$XDG_CONFIG_HOME/capsule-loop/trust.yaml` (~/.config), else
/// STATE/configmaps/capsule-trust/trust.yaml; `--key` is short for one key. Error usage (exit 2) where none is found,
/// and where both options are given.
TrustPolicy find_trust(const std::string& trust_option, const std::string& key_option, const std::string& state_folder);

}  // namespace capsule::attest
