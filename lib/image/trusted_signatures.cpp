#include "image/trusted_signatures.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/bundle.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::image {

void TrustedSignatures::judge_head(const PackageHead& head) {
  const auto& manifest = head.manifest;
  m_what = fmt::format("{} {}", manifest.name, manifest.version);
  auto& quorum = m_quorum.emplace(m_policy.signers(attest::Role::capsule, manifest.name));
  if (quorum.keys().empty()) static_cast<void>(m_policy.keys(attest::Role::capsule, manifest.name));  // says why
  std::optional<Error> unsigned_head;
  try {
    quorum.count(signer_of(head, quorum.keys()));
  } catch (const Error& error) {
    quorum.note(error.message());
    unsigned_head = error;
  }
  if (quorum.is_met()) return;
  const auto fault = collect(quorum.keys());
  // With one signer wanted and no bundle that speaks, there is but one thing to say.
  if (m_claims.empty() && quorum.wanted() == 1 && unsigned_head && quorum.withdrawn().empty()) throw *unsigned_head;
  auto hoped = quorum;
  for (const auto& claim : m_claims) hoped.count(claim.key);
  if (fault) {
    if (!hoped.is_met() && retry_helps(fault->kind())) throw *fault;
    hoped.note(fault->message());
  } else if (quorum.wanted() > 1) {
    hoped.note(
        fmt::format("a package holds one signature, those of further signers are {}", m_input.signatures_place()));
  }
  hoped.require(m_what);
}

std::optional<Error> TrustedSignatures::collect(std::span<const crypto::PublicKey> keys) {
  std::optional<Error> fault;
  for (const auto& [where, about_index, read] : m_input.signatures(keys)) {
    try {
      const auto text = read();
      m_policy.check_revoked(crypto::sha256(text));
      auto signature = attest::open_signature(text, keys);
      m_claims.push_back({where, about_index, std::move(signature.key), std::move(signature.subjects)});
    } catch (const Error& error) {
      // What another try could bring says more than what is bad for ever.
      if (!fault || !retry_helps(fault->kind())) fault = error.within(where);
    }
  }
  return fault;
}

std::vector<crypto::PublicKey> TrustedSignatures::judge(const ReadPackage& package) {
  auto& quorum = m_quorum.value();
  const auto index = m_input.version_index(package);
  if (index) m_policy.check_revoked(*index);
  if (!quorum.is_met()) count_claims(package.package_digest, index);
  quorum.require(m_what);
  return quorum.signed_by();
}

void TrustedSignatures::count_claims(const Digest& package, const std::optional<Digest>& index) {
  auto& quorum = m_quorum.value();
  std::string fault;
  for (const auto& key : quorum.keys()) {
    for (const auto& claim : m_claims) {
      if (claim.key.id() != key.id()) continue;
      const bool holds = std::any_of(claim.subjects.begin(), claim.subjects.end(),
                                     [&](const Digest& about) { return about == package || about == index; });
      if (holds) {
        quorum.count(key);
      } else if (!claim.about_index || index) {
        fault = fmt::format("{} is about {}, not about this package", claim.where, claim.subjects.front().text());
      } else if (fault.empty()) {
        fault = fmt::format("{} is about a version index that did not come along", claim.where);
      }
    }
  }
  if (!fault.empty()) quorum.note(std::move(fault));
}

}  // namespace capsule::image
