#include "referrers.hpp"

#include "anchor/anchor.hpp"
#include "attest/bundle.hpp"
#include "deploy/run_record.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"
#include "proof/published.hpp"

namespace register_step {

using namespace capsule;

void keep_referrers(oci::Store& store, const capsule::resolve::ProvedCapsule& proved) {
  if (!proved.proof) return;
  const auto& index = proved.published.index;
  const auto is_lost = [&](std::string_view type, const Digest& content) {
    if (oci::is_attached(store, index.digest, type, content)) return false;
    log::info("attached again", {{"type", std::string{type}}, {"digest", content.text()}});
    return true;
  };
  const auto& proof = *proved.proof;
  if (is_lost(oci::media_type::run_record, proof.bundle.run_record))
    deploy::attach_run_record(store, index, proof.run_record);
  if (is_lost(oci::media_type::sigstore_bundle, proof.digest)) {
    const auto bundle = oci::read_text(store, proof.digest, attest::max_bundle_bytes);
    proof::publish_proof(store, index, proof.run_record, bundle, proof.bundle.proof_id);
  }
  for (const auto& [digest, receipt] : proved.receipts) {
    if (is_lost(oci::media_type::anchor_receipt, digest)) anchor::attach_receipt(store, index, receipt);
  }
}

}  // namespace register_step
