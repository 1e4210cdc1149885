#include "bundle_anchoring.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"

namespace anchor_step {

using namespace capsule;

namespace {

constexpr std::size_t max_receipt_bytes = std::size_t{1} << 20U;

/// Among those attached to `subject`.
std::optional<Anchored> find_receipt(oci::Store& store, const Digest& subject, const Digest& bundle,
                                     const std::string& chain, const attest::TrustPolicy& trust) {
  const auto attached = oci::attached(store, subject, oci::media_type::anchor_receipt, max_receipt_bytes);
  for (const auto& entry : attached) {
    try {
      auto receipt = anchor::Receipt::from_json(json::parse(entry.content, "an anchor receipt"), "an anchor receipt");
      if (receipt.chain != chain || receipt.bundle_digest != bundle) continue;
      trust.check_revoked(entry.content_digest);
      anchor::verify_receipt(receipt, bundle, trust);
      return Anchored{std::move(receipt), entry.content_digest, Anchored::When::before};
    } catch (const Error& error) {
      log::warning(fmt::format("the receipt {} does not hold and is passed over: {}", entry.content_digest.brief(),
                               error.message()));
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<Anchored> anchor_bundle(oci::Store& store, const oci::Descriptor& subject, const Digest& bundle,
                                    const Anchors& anchors, const attest::TrustPolicy& trust) {
  std::vector<Anchored> out;
  for (const auto& anchor : anchors) {
    auto found = find_receipt(store, bundle, bundle, anchor->chain(), trust);
    if (!found && (found = find_receipt(store, subject.digest, bundle, anchor->chain(), trust)))
      (void)anchor::attach_receipt(store, subject, found->receipt);  // a kill came before the bundle had it
    if (found) {
      out.push_back(*std::move(found));
      continue;
    }
    anchor->require_trusted(trust);
    auto receipt = anchor->anchor(bundle);
    // Never hand out what a stranger would refuse.
    anchor::verify_receipt(receipt, bundle, trust);
    auto digest = anchor::attach_receipt(store, subject, receipt);
    trust.check_revoked(digest);
    out.push_back({std::move(receipt), std::move(digest), Anchored::When::now});
  }
  return out;
}

}  // namespace anchor_step
