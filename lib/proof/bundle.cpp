#include "proof/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/statement.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule::proof {

namespace {

constexpr auto failed = ErrorKind::verification_failed;
constexpr std::string_view capsule_subject = "capsule";
constexpr std::string_view index_subject = "version-index";
constexpr std::string_view record_subject = "run-record";

json::Array to_json(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::vector<std::string> read_texts(const json::Cursor& cursor) {
  std::vector<std::string> out;
  for (const auto& element : cursor.elements()) out.push_back(element.string());
  return out;
}

json::Object to_json(const ProofPolicy& policy) {
  return {{"required", policy.required}, {"types", to_json(policy.types)}, {"anchors", to_json(policy.anchors)}};
}

ProofPolicy read_policy(const json::Cursor& cursor) {
  cursor.allow_only({"required", "types", "anchors"});
  return {.required = cursor.at("required").boolean(),
          .types = read_texts(cursor.at("types")),
          .anchors = read_texts(cursor.at("anchors"))};
}

void require_same(std::string_view what, const Digest& stated, const Digest& ours) {
  if (stated == ours) return;
  throw Error{failed,
              fmt::format("the proof bundle is about another {}: {}, not {}", what, stated.text(), ours.text())};
}

void require_policy(const ProofPolicy& stated, const ProofPolicy& ours) {
  if (stated.required == ours.required && stated.types == ours.types && stated.anchors == ours.anchors) return;
  throw Error{failed, "the proof bundle states another proof policy than the capsule"};
}

/// Each type of the policy must have its evidence: a policy names what its users rely on.
void require_types(const ProofPolicy& policy, const std::vector<ClaimResult>& results) {
  for (const auto& type : policy.types) {
    const bool there =
        std::any_of(results.begin(), results.end(), [&](const ClaimResult& result) { return result.type == type; });
    if (!there) throw Error{failed, fmt::format("the proof policy asks for {}, which no evidence gives", type)};
  }
}

}  // namespace

bool is_proof_id(std::string_view text) noexcept {
  constexpr std::string_view prefix = "proof_";
  return text.size() == prefix.size() + 8 && text.starts_with(prefix) &&
         text.substr(prefix.size()).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string sign_bundle(const Bundle& bundle, const crypto::Signer& signer) {
  return attest::sign_statement({.subjects = {{std::string{capsule_subject}, bundle.capsule},
                                              {std::string{index_subject}, bundle.version_index},
                                              {std::string{record_subject}, bundle.run_record}},
                                 .predicate_type = std::string{predicate_type},
                                 .predicate = json::Object{{"proof_id", bundle.proof_id},
                                                           {"proof_hash", bundle.proof_hash.text()},
                                                           {"utid", bundle.utid},
                                                           {"policy", to_json(bundle.policy)},
                                                           {"evidence", bundle.evidence},
                                                           {"service", bundle.service},
                                                           {"replay", bundle.replay}}},
                                signer);
}

Bundle open_bundle(std::string_view text, std::span<const crypto::PublicKey> keys) {
  const auto statement = attest::verify_statement(text, keys, predicate_type);
  if (statement.subjects.size() != 3)
    throw Error{failed, "the proof bundle must have the subjects capsule, version-index and run-record, no others"};
  const json::Cursor predicate{statement.predicate, "proof bundle", failed};
  predicate.allow_only({"proof_id", "proof_hash", "utid", "policy", "evidence", "service", "replay"});
  static_cast<void>(predicate.at("evidence").array());
  static_cast<void>(predicate.at("service").object());
  static_cast<void>(predicate.at("replay").object());
  Bundle bundle{
      .capsule = statement.subject(capsule_subject),
      .version_index = statement.subject(index_subject),
      .run_record = statement.subject(record_subject),
      .proof_id = predicate.at("proof_id").string(),
      .proof_hash = with_trace("proof bundle", [&] { return Digest::parse(predicate.at("proof_hash").string()); }),
      .utid = predicate.at("utid").string(),
      .policy = read_policy(predicate.at("policy")),
      .evidence = predicate.at("evidence").value(),
      .service = predicate.at("service").value(),
      .replay = predicate.at("replay").value()};
  if (!is_proof_id(bundle.proof_id)) predicate.at("proof_id").fail("not a proof_id");
  return bundle;
}

json::Value read_run_record(std::string_view text, const CapsuleFacts& capsule) {
  auto record = json::parse(text, "the run record", {.bytes = max_run_record_bytes, .depth = 64});
  const json::Cursor top{record, "the run record", failed};
  top.require_exact_integers();
  const auto of = top.at("capsule");
  if (of.at("digest").string() != capsule.capsule_digest.text() || of.at("name").string() != capsule.name ||
      of.at("version").string() != capsule.version) {
    of.fail(fmt::format("a run of another capsule than {} {} ({})", capsule.name, capsule.version,
                        capsule.capsule_digest.text()));
  }
  return record;
}

std::vector<ClaimResult> check_bundle(const Bundle& bundle, const CapsuleFacts& capsule, const Digest& version_index,
                                      std::string_view run_record) {
  require_same("capsule", bundle.capsule, capsule.capsule_digest);
  require_same("version index", bundle.version_index, version_index);
  require_same("run record", bundle.run_record, crypto::sha256(run_record));
  require_same("proof hash", bundle.proof_hash,
               proof_hash(bundle.capsule, capsule.require_claims(), bundle.run_record));
  require_policy(bundle.policy, capsule.policy);
  const auto record = read_run_record(run_record, capsule);
  auto results = check_evidence({capsule.claims, capsule.files, record}, bundle.evidence);
  require_all_hold(results);
  require_types(bundle.policy, results);
  return results;
}

}  // namespace capsule::proof
