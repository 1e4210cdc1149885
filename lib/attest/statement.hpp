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

struct Envelope;

/// What cosign calls a signature: an empty predicate about an image.
inline constexpr std::string_view signature_predicate = "https://sigstore.dev/cosign/sign/v1";
inline constexpr std::string_view statement_payload_type = "application/vnd.in-toto+json";

struct Subject {
  std::string name;  ///< may be empty
  Digest digest;
};

/// An in-toto Statement (v1): what is said (predicate) about which things (subjects).
struct Statement {
  std::vector<Subject> subjects;
  std::string predicate_type;
  json::Value predicate;

  /// The subject of that name; Error verification_failed if there is none.
  [[nodiscard]] const Digest& subject(std::string_view name) const;
  /// Whether one of the subjects has this digest.
  [[nodiscard]] bool is_about(const Digest& digest) const noexcept;
};

/// Signs a statement: a Sigstore bundle v0.3 (strict proto JSON) with a DSSE envelope, payload type
/// application/vnd.in-toto+json, publicKey.hint = the key's id. The payload is canonical JSON.
std::string sign_statement(const Statement& statement, const crypto::Signer& signer);

/// Checks a bundle that sign_statement, or another Sigstore tool, made: one of `keys` signed it and the predicate type
/// is the one that is wanted. Keys in the bundle are never used, its hint only selects. Fails closed: an unknown field
/// or media type is a failure. What the statement is about is the caller's to compare. Errors: invalid_input
/// (malformed), verification_failed, usage (no keys).
Statement verify_statement(std::string_view bundle, std::span<const crypto::PublicKey> keys,
                           std::string_view predicate_type);

/// The same with the subject: `digest` is among those of the statement.
Statement verify_statement_about(const Digest& digest, std::string_view bundle, std::span<const crypto::PublicKey> keys,
                                 std::string_view predicate_type);

/// The statement in an envelope whose signature was verified. Strict: _type, subjects with one sha256 or sha512 each
/// and no name twice, the predicate type that is wanted, predicate; nothing else.
Statement read_statement(const Envelope& envelope, std::string_view predicate_type);

}  // namespace capsule::attest
