#include "resolve/proved_capsule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/parse.hpp"

namespace capsule::resolve {

namespace {

constexpr std::size_t max_receipt_bytes = std::size_t{1} << 20U;

AnchoredReceipt check_receipt(oci::Store& store, const Digest& digest, const Digest& bundle,
                              const attest::TrustPolicy& trust) {
  trust.check_revoked(digest);
  const auto text = oci::read_text(store, digest, max_receipt_bytes);
  auto receipt = anchor::Receipt::from_json(json::parse(text, "the anchor receipt"), "the anchor receipt");
  anchor::verify_receipt(receipt, bundle, trust);
  return {digest, std::move(receipt)};
}

/// What the signed manifest asks for must be there: nothing is assumed about what is absent.
void check_policy(const ProofPolicy& policy, const ProofAndReceipts& proved) {
  if (policy.required && !proved.proof) {
    throw Error{ErrorKind::verification_failed,
                "the capsule's manifest requires a proof, and none was given: run generate-proof, then give "
                "--proof-bundle"};
  }
  for (const auto& chain : policy.anchors) {
    const bool there = std::any_of(proved.receipts.begin(), proved.receipts.end(),
                                   [&](const auto& anchored) { return anchored.receipt.chain == chain; });
    if (there) continue;
    throw Error{ErrorKind::verification_failed,
                fmt::format("the capsule's manifest wants its proof anchored to '{}', and no receipt of it was given",
                            printable(chain))};
  }
}

}  // namespace

std::vector<std::string> checks_of(const proof::CheckedProof& proof, const std::vector<AnchoredReceipt>& receipts) {
  std::vector<std::string> out{fmt::format(
      "proof {} {}: signed by {}, about this capsule, this version and the run record {}", proof.bundle.proof_id,
      proof.digest.text(), proof.signers == 1 ? "a trusted key" : fmt::format("{} trusted keys", proof.signers),
      proof.bundle.run_record.text())};
  for (const auto& result : proof.results)
    out.push_back(fmt::format("{} '{}': {}", result.type, result.claim, result.detail));
  for (const auto& [digest, receipt] : receipts) {
    out.push_back(fmt::format("anchored in {} at position {}, {}, receipt {}", receipt.chain, receipt.tx, receipt.time,
                              digest.text()));
  }
  return out;
}

ProofAndReceipts check_proof_of(oci::Store& store, const ProofRequest& request, const proof::CapsuleFacts& facts,
                                const attest::TrustPolicy& trust) {
  ProofAndReceipts out;
  if (request.bundle) out.proof = proof::check_published_proof(store, request.index, *request.bundle, facts, trust);
  for (const auto& digest : request.receipts)
    out.receipts.push_back(check_receipt(store, digest, *request.bundle, trust));
  check_policy(facts.policy, out);
  return out;
}

ProvedCapsule check_proof(oci::Store& store, const ProofRequest& request, const attest::TrustPolicy& trust,
                          log::Progress& progress) {
  if (!request.bundle && !request.receipts.empty()) {
    throw Error{ErrorKind::usage, "a receipt anchors a proof bundle: give --proof-bundle too"};
  }
  auto [capsule, facts] = proof::verify_published_capsule(store, request.index, trust, &progress);
  if (facts.name != request.name) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the capsule under the name '{}' calls itself '{}'", request.name, facts.name)};
  }
  auto published = image::read_published(store, request.index);
  auto [proof, receipts] = check_proof_of(store, request, facts, trust);
  return {std::move(published), std::move(capsule), std::move(facts), std::move(proof), std::move(receipts)};
}

}  // namespace capsule::resolve
