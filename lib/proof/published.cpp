#include "proof/published.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/bundle.hpp"
#include "attest/quorum.hpp"
#include "attest/statement.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"

namespace capsule::proof {

namespace {

constexpr std::string_view content_annotation = "dev.sigstore.bundle.content";
constexpr std::string_view predicate_annotation = "dev.sigstore.bundle.predicateType";

/// The referrers of a version index, or of a run record, that say in their annotations that they are proof bundles: no
/// other is loaded.
std::vector<oci::Descriptor> bundle_referrers(oci::Store& store, const Digest& subject) {
  auto out = store.referrers(subject, oci::media_type::sigstore_bundle);
  std::erase_if(out, [](const oci::Descriptor& referrer) {
    const auto type = referrer.annotations.find(std::string{predicate_annotation});
    return type == referrer.annotations.end() || type->second != predicate_type;
  });
  return out;
}

CheckedProof check(const RecordReader& read_record, const Digest& version_index, std::string_view text,
                   const CapsuleFacts& capsule, std::span<const crypto::PublicKey> keys,
                   const attest::TrustPolicy& trust) {
  const auto digest = crypto::sha256(text);
  auto bundle = open_bundle(text, keys);
  for (const auto& used : {digest, version_index, bundle.run_record}) trust.check_revoked(used);
  auto record = with_trace("the run record that the proof is about", [&] { return read_record(bundle.run_record); });
  auto results = check_bundle(bundle, capsule, version_index, record);
  return {digest, std::move(bundle), std::move(results), std::move(record), 1};
}

/// By the time of the run record, which whoever signed the proof vouches for. One that is about to expire is good.
void require_age(const CheckedProof& proof, const CapsuleFacts& capsule, const attest::TrustPolicy& trust) {
  if (!trust.max_proof_age(capsule.name)) return;
  const auto record = json::parse(proof.run_record, "the run record");
  const auto& ended = json::Cursor{record, "the run record"}.at("finished_at").string();
  trust.check_proof_age(fmt::format("the proof {}", proof.digest.text()), capsule.name, parse_time(ended));
}

/// A policy that asks for k keys: as many must have signed a bundle about this version and this run. Returns how many
/// are known to have.
unsigned require_threshold(oci::Store& store, const Digest& version_index, const CheckedProof& proof,
                           const CapsuleFacts& capsule, const attest::TrustPolicy& trust) {
  attest::Quorum quorum{trust.signers(attest::Role::proof, capsule.name)};
  if (quorum.wanted() <= 1) return 1;
  for (const auto& key : quorum.keys()) {
    const std::vector only{key};
    if (find_proof(store, version_index, proof.bundle.run_record, capsule, only, trust)) quorum.count(key);
  }
  quorum.require(fmt::format("a proof of {} about this run", capsule.name));
  return static_cast<unsigned>(quorum.signed_by().size());
}

}  // namespace

CapsuleWithFacts verify_with_facts(image::CapsuleInput& input, const attest::TrustPolicy& trust,
                                   log::Progress* progress) {
  FactsCollector collector;
  auto capsule = image::verify_input(input, trust, {.observer = &collector, .progress = progress});
  auto facts = collector.finish(capsule);
  return {std::move(capsule), std::move(facts)};
}

CapsuleWithFacts verify_published_capsule(oci::Store& store, const Digest& version_index,
                                          const attest::TrustPolicy& trust, log::Progress* progress) {
  const auto input = image::published_package(store, image::read_published(store, version_index));
  if (progress != nullptr) progress->begin("verifying", input->size());
  auto out = verify_with_facts(*input, trust, progress);
  if (progress != nullptr) progress->end();
  return out;
}

RecordReader record_reader(oci::Store& store) {
  return [&store](const Digest& digest) { return oci::read_text(store, digest, max_run_record_bytes); };
}

CheckedProof check_published_proof(oci::Store& store, const Digest& version_index, const Digest& bundle,
                                   const CapsuleFacts& capsule, const attest::TrustPolicy& trust) {
  trust.check_revoked(bundle);
  const auto text = oci::read_text(store, bundle, attest::max_bundle_bytes);
  const auto keys = trust.keys(attest::Role::proof, capsule.name);
  auto proof = check(record_reader(store), version_index, text, capsule, keys, trust);
  require_age(proof, capsule, trust);
  proof.signers = require_threshold(store, version_index, proof, capsule, trust);
  return proof;
}

CheckedProof check_given_proof(std::string_view bundle, const Digest& version_index, const CapsuleFacts& capsule,
                               const attest::TrustPolicy& trust, const RecordReader& read_record) {
  auto proof = check(read_record, version_index, bundle, capsule, trust.keys(attest::Role::proof, capsule.name), trust);
  require_age(proof, capsule, trust);
  if (const auto wanted = trust.signers(attest::Role::proof, capsule.name).threshold; wanted > 1) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the trust policy wants {} keys for a proof of {}, a bundle has one: name a bundle of the "
                            "registry by its digest, then those beside it count too",
                            wanted, capsule.name)};
  }
  return proof;
}

bool has_bundles(oci::Store& store, const Digest& version_index, const Digest& run_record) {
  return !bundle_referrers(store, run_record).empty() || !bundle_referrers(store, version_index).empty();
}

std::optional<CheckedProof> find_proof(oci::Store& store, const Digest& version_index, const Digest& run_record,
                                       const CapsuleFacts& capsule, std::span<const crypto::PublicKey> keys,
                                       const attest::TrustPolicy& trust) {
  for (const auto& subject : {run_record, version_index}) {
    for (const auto& referrer : bundle_referrers(store, subject)) {
      try {
        const auto candidate =
            oci::read_attached(store, referrer, oci::media_type::sigstore_bundle, attest::max_bundle_bytes);
        if (open_bundle(candidate.content, keys).run_record != run_record) continue;
        return check(record_reader(store), version_index, candidate.content, capsule, keys, trust);
      } catch (const Error& error) {
        log::debug("a proof bundle does not count",
                   {{"referrer", referrer.digest.text()}, {"reason", error.message()}});
      }
    }
  }
  return std::nullopt;
}

Digest publish_proof(oci::Store& store, const oci::Descriptor& version_index, std::string_view run_record,
                     const std::string& bundle, const std::string& proof_id) {
  const oci::Attachment attachment{.artifact_type = std::string{oci::media_type::sigstore_bundle},
                                   .layer_media_type = std::string{oci::media_type::sigstore_bundle},
                                   .content = bundle,
                                   .annotations = {{std::string{content_annotation}, "dsse-envelope"},
                                                   {std::string{predicate_annotation}, std::string{predicate_type}},
                                                   {std::string{proof_id_annotation}, proof_id}}};
  oci::attach(store,
              {std::string{oci::media_type::run_record}, crypto::sha256(run_record), run_record.size(), {}, {}, {}},
              attachment);
  oci::attach(store, version_index, attachment);
  return crypto::sha256(bundle);
}

}  // namespace capsule::proof
