#include "image/index_signatures.hpp"

#include <algorithm>

#include "attest/bundle.hpp"
#include "attest/statement.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

std::string_view name_of(Signature signature) noexcept {
  switch (signature) {
    case Signature::attached:
      return "attached";
    case Signature::already_there:
      return "already there";
    case Signature::absent:
      return "absent";
    case Signature::unfit:
      break;
  }
  return "unfit";
}

IndexSignatures::IndexSignatures(CapsuleInput& input, const attest::TrustPolicy& policy, const oci::Descriptor& index,
                                 std::string_view name)
    : m_policy(policy), m_index(index) {
  const auto keys = policy.keys(attest::Role::capsule, name);
  for (const auto& bundle : input.signatures(keys)) {
    if (!bundle.about_index) continue;
    One found;
    try {
      found.bundle = bundle.read();
      found.key = signer_of(found.bundle, keys);
    } catch (const Error& error) {
      if (retry_helps(error.kind())) throw;
      log::warning("a signature bundle is left out: if its signer is to be believed, sign the package again",
                   {{"bundle", bundle.where}, {"index", index.digest.text()}, {"reason", error.message()}});
      m_has_unfit = true;
      continue;
    }
    const bool known =
        std::any_of(m_all.begin(), m_all.end(), [&](const One& other) { return other.key == found.key; });
    if (!known) m_all.push_back(std::move(found));
  }
}

/// The id of the key that signed a statement about this very index, as cosign reads it.
std::string IndexSignatures::signer_of(std::string_view text, std::span<const crypto::PublicKey> keys) const {
  m_policy.check_revoked(crypto::sha256(text));
  (void)attest::verify_statement_about(m_index.digest, text, keys, attest::signature_predicate);
  return attest::open_signature(text, keys).key.id();
}

AttachedSignatures IndexSignatures::attach(oci::Store& store) const {
  AttachedSignatures out;
  if (m_has_unfit) out.state = Signature::unfit;
  for (const auto& signature : m_all) {
    const auto state = attach_one(store, signature.bundle);
    if (out.signed_by.empty() || state == Signature::attached) out.state = state;
    out.signed_by.push_back(signature.key);
  }
  return out;
}

Signature IndexSignatures::attach_one(oci::Store& store, const std::string& text) const {
  const auto type = std::string{oci::media_type::sigstore_bundle};
  const auto before = store.referrers(m_index.digest, type).size();
  oci::attach(store, m_index,
              {type,
               type,
               text,
               {{"dev.sigstore.bundle.content", "dsse-envelope"},
                {"dev.sigstore.bundle.predicateType", std::string{attest::signature_predicate}}}});
  return store.referrers(m_index.digest, type).size() == before ? Signature::already_there : Signature::attached;
}

}  // namespace capsule::image
