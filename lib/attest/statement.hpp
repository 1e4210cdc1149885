#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attest/trust_policy.hpp"
#include "core/digest.hpp"
#include "crypto/key.hpp"
#include "json/value.hpp"

namespace capsule::attest {

struct Subject {
  std::string name;
  Digest digest;
};

/// An in-toto Statement (v1): what is said (predicate) about which things (subjects).
struct Statement {
  std::vector<Subject> subjects;
  std::string predicate_type;
  json::Value predicate;

  /// The subject of that name; Error verification_failed if there is none.
  [[nodiscard]] const Digest& subject(std::string_view name) const;
};

/// Signs a statement: a Sigstore bundle v0.3 (strict proto JSON) with a DSSE envelope, payload type
/// application/vnd.in-toto+json, publicKey.hint = the key's id.
std::string sign_statement(const Statement& statement, const crypto::Signer& signer);

/// Checks a bundle that sign_statement, or another Sigstore tool, made: one of `keys` signed it and the predicate type
/// is the one that is wanted. Keys in the bundle are never used, its hint only selects. Fails closed: an unknown field
/// or media type is a failure. Errors: invalid_input (malformed), verification_failed.
Statement verify_statement(std::string_view bundle, std::span<const crypto::PublicKey> keys,
                           std::string_view predicate_type);

}  // namespace capsule::attest
