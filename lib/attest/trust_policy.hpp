#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/time.hpp"
#include "crypto/key.hpp"

namespace capsule::attest {

enum class Role { capsule, proof, index, log, utid };
std::string_view name_of(Role role) noexcept;

/// Who may act in a role for a name, now.
struct Signers {
  std::vector<crypto::PublicKey> keys;  ///< those that count, each once
  unsigned threshold = 1;               ///< how many of them must have signed
  std::vector<std::string> withdrawn;  ///< the others of the rule, and why: "<key id> expired at …", "… is revoked"
};

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
///           - pem: |                    # the long form of the first, for a key that expires
///               -----BEGIN PUBLIC KEY-----
///               …
///             not_after: 2027-06-30     # RFC 3339: a date (until its end, UTC) or a date and time
///         threshold: 1                  # how many of the keys must have signed
///         max_age: 2160h                # role proof alone: how old the run may be that a proof is about
///     log:
///       - keys: ["<name>+<8 hex>+<base64>"]   # a C2SP vkey (long: vkey:) holds the log's name; PEM is fine too
///     revoked: ["sha256:…"]             # capsules, packages, version indexes, run records, bundles, receipts;
///                                       # keys by the SHA-256 of their DER SPKI
///
/// Per role the first rule that fits the name counts, alone. For the role log, the name is the log's. A signature tells
/// no time that could be trusted: from its end on (5 minutes later, for clocks that differ), a key counts for nothing,
/// whenever it signed.
class TrustPolicy {
 public:
  /// One YAML document. Error usage with the path of the fault; an unknown field is one. PEM keys stand in the file, or
  /// as `file:` relative to it.
  static TrustPolicy from_file(const std::string& path);
  /// The same from a text; `folder` is where `file:` looks.
  static TrustPolicy parse(std::string_view text, std::string_view what, const std::string& folder);
  /// `--key PUB`: one key in all the roles that the step needs, for any name.
  static TrustPolicy from_key(crypto::PublicKey key);

  /// Who may act in `role` for the capsule `name`; revoked and expired keys are left out. Error usage where no rule
  /// fits the name: nothing is ever accepted unverified.
  [[nodiscard]] Signers signers(Role role, std::string_view name) const;
  /// Their keys. Error verification_failed where every one is revoked or has expired.
  [[nodiscard]] std::vector<crypto::PublicKey> keys(Role role, std::string_view name) const;
  /// How old a proven run of the capsule `name` may be; nothing where the policy sets no limit, or trusts no proof.
  [[nodiscard]] std::optional<std::chrono::milliseconds> max_proof_age(std::string_view name) const;
  /// Error verification_failed if a run that ended at `time` is older. `what` names its proof.
  void check_proof_age(std::string_view what, std::string_view name, Time time) const;
  /// Error verification_failed if the digest is revoked.
  void check_revoked(const Digest& digest) const;

  /// For tests; else the system's.
  void set_clock(std::function<Time()> clock) { m_clock = std::move(clock); }

  struct Key {
    crypto::PublicKey key;
    std::optional<Time> not_after;  ///< the last moment at which it counts
  };
  struct Rule {
    Role role{};
    std::vector<std::string> names;  ///< glob patterns with '*'; empty: any
    std::vector<Key> keys;
    unsigned threshold = 1;
    std::optional<std::chrono::milliseconds> max_age;  ///< of role proof
  };
  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return m_rules; }

 private:
  [[nodiscard]] const Rule* find_rule(Role role, std::string_view name) const noexcept;
  [[nodiscard]] const Rule& rule_for(Role role, std::string_view name) const;
  [[nodiscard]] bool is_revoked(const Digest& digest) const noexcept;
  std::vector<Rule> m_rules;
  std::vector<Digest> m_revoked;
  std::function<Time()> m_clock = [] { return now(); };
};

/// `--trust FILE`, else `$XDG_CONFIG_HOME/capsule-loop/trust.yaml` (~/.config), else
/// STATE/configmaps/capsule-trust/trust.yaml; `--key` is short for one key. Error usage (exit 2) where none is found,
/// and where both options are given; not_found for a FILE that is not there.
TrustPolicy find_trust(const std::string& trust_option, const std::string& key_option, const std::string& state_folder);

}  // namespace capsule::attest
