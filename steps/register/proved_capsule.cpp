#include "proved_capsule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "anchor/anchor.hpp"
#include "core/error.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"
#include "proof/bundle.hpp"
#include "proof/facts_collector.hpp"

namespace register_step {

using namespace capsule;

namespace {

constexpr std::size_t max_bundle_bytes = std::size_t{64} << 20U;
constexpr std::size_t max_record_bytes = std::size_t{32} << 20U;
constexpr std::size_t max_receipt_bytes = std::size_t{1} << 20U;

/// The document of that digest among those of its type that are attached to the version index.
std::string find_attached(oci::Store& store, const Digest& index, std::string_view type, const Digest& wanted,
                          std::size_t limit) {
  for (auto& entry : oci::attached(store, index, type, limit)) {
    if (entry.content_digest == wanted) return std::move(entry.content);
  }
  throw Error{ErrorKind::not_found,
              fmt::format("{} ({}) is not attached to the version {}", wanted.text(), type, index.brief())};
}

ProvedCapsule::Proof check_bundle(oci::Store& store, const ProofRequest& request, const proof::CapsuleFacts& facts,
                                  const attest::TrustPolicy& trust) {
  const auto text =
      find_attached(store, request.index, oci::media_type::sigstore_bundle, *request.bundle, max_bundle_bytes);
  const auto bundle = proof::open_bundle(text, trust.keys(attest::Role::proof, request.name));
  trust.check_revoked(*request.bundle);
  const auto record =
      find_attached(store, request.index, oci::media_type::run_record, bundle.run_record, max_record_bytes);
  ProvedCapsule::Proof out{bundle.proof_id, *request.bundle, {}};
  for (const auto& result : proof::check_bundle(bundle, facts, request.index, record)) {
    out.lines.push_back(fmt::format("{} '{}': {}", result.type, result.claim, result.detail));
  }
  return out;
}

ProvedCapsule::Anchor check_receipt(oci::Store& store, const ProofRequest& request, const Digest& digest,
                                    const attest::TrustPolicy& trust) {
  const auto text = find_attached(store, request.index, oci::media_type::anchor_receipt, digest, max_receipt_bytes);
  const auto receipt = anchor::Receipt::from_json(json::parse(text, "the anchor receipt"), "the anchor receipt");
  anchor::verify_receipt(receipt, *request.bundle, trust);
  return {receipt.chain, receipt.tx, receipt.time, digest};
}

/// What the signed manifest asks for must be there: nothing is assumed about what is absent.
void check_policy(const ProofPolicy& policy, const ProvedCapsule& proved) {
  if (policy.required && !proved.proof) {
    throw Error{
        ErrorKind::verification_failed,
        "the capsule's manifest requires a proof, and none was given: run generate-proof, then give --proof-bundle"};
  }
  for (const auto& chain : policy.anchors) {
    const bool there = std::any_of(proved.anchors.begin(), proved.anchors.end(),
                                   [&](const auto& anchor) { return anchor.chain == chain; });
    if (!there)
      throw Error{ErrorKind::verification_failed,
                  fmt::format("the capsule's manifest wants its proof anchored to '{}', and no receipt of it was given",
                              printable(chain))};
  }
}

}  // namespace

ProvedCapsule check_proof(oci::Store& store, const ProofRequest& request, const attest::TrustPolicy& trust,
                          log::Progress& progress) {
  if (!request.bundle && !request.receipts.empty())
    throw Error{ErrorKind::usage, "a receipt anchors a proof bundle: give --proof-bundle too"};
  const auto input = image::published_package(store, image::read_published(store, request.index));
  proof::FactsCollector collector;
  progress.begin("verifying", input->size());
  ProvedCapsule out{image::verify_input(*input, trust, {.observer = &collector, .progress = &progress}), {}, {}};
  progress.end();
  if (out.capsule.manifest().name != request.name) {
    throw Error{ErrorKind::verification_failed, fmt::format("the capsule under the name '{}' calls itself '{}'",
                                                            request.name, out.capsule.manifest().name)};
  }
  if (request.bundle) out.proof = check_bundle(store, request, collector.finish(out.capsule), trust);
  for (const auto& digest : request.receipts) out.anchors.push_back(check_receipt(store, request, digest, trust));
  check_policy(out.capsule.manifest().proof_policy, out);
  return out;
}

}  // namespace register_step
