#include "vouched.hpp"

#include "attest/bundle.hpp"
#include "attest/quorum.hpp"
#include "attest/statement.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "image/published_form.hpp"

namespace publish {

using namespace capsule;

bool is_vouched(const Hints& hints, image::CapsuleInput& input, const attest::TrustPolicy& policy) {
  if (hints.diff_ids.size() != hints.segments.size()) return false;  // of an older sign
  try {
    attest::Quorum quorum{policy.signers(attest::Role::capsule, hints.name)};
    policy.check_revoked(hints.index);
    for (const auto& bundle : input.signatures(quorum.keys())) {
      if (!bundle.about_index || quorum.is_met()) continue;
      try {
        const auto text = bundle.read();
        policy.check_revoked(crypto::sha256(text));
        (void)attest::verify_statement_about(hints.index, text, quorum.keys(), attest::signature_predicate);
        quorum.count(attest::open_signature(text, quorum.keys()).key);
      } catch (const Error&) {  // one that does not count: whoever attaches them says why
        continue;
      }
    }
    return quorum.is_met();
  } catch (const Error&) {
    return false;  // verifying says what is wrong with the policy
  }
}

bool adopt(const Hints& hints, image::VerifiedForm& checked) {
  if (!checked.facts || checked.facts->segments.size() != hints.segments.size()) return false;
  auto facts = *checked.facts;
  for (std::size_t i = 0; i < facts.segments.size(); ++i) {
    auto& segment = facts.segments[i];
    if (segment.size != hints.segments[i].size) return false;
    segment.digest = hints.segments[i].digest;
    segment.diff_id = hints.diff_ids[i];
  }
  if (image::published_form(facts).index.descriptor.digest != hints.index) return false;
  checked.facts = std::move(facts);
  return true;
}

}  // namespace publish
