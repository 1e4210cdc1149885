#include "anchor/anchor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/own_key.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/media_types.hpp"

namespace capsule::anchor {

namespace {

constexpr std::string_view log_scheme = "log:";
constexpr std::size_t max_path = 64;

/// What is logged: the digest and when, so that the log vouches for both.
std::string entry_of(const Digest& bundle_digest, const std::string& time) {
  return json::canonical(json::Object{{"bundle_digest", bundle_digest.text()}, {"time", time}});
}

std::string time_in(const std::string& entry) {
  const auto value = json::parse(entry, "the log's entry");
  return json::Cursor{value, "the log's entry"}.at("time").string();
}

Inclusion inclusion_of(const Receipt& receipt) {
  const json::Cursor proof{receipt.proof, "the anchor receipt's proof"};
  proof.allow_only({"entry", "checkpoint", "path"});
  Inclusion out;
  out.entry = proof.at("entry").string();
  out.checkpoint = proof.at("checkpoint").string();
  const auto steps = proof.at("path").elements();
  if (steps.size() > max_path) proof.at("path").fail("longer than any tree is high");
  for (const auto& step : steps) {
    const auto bytes = from_base64(step.string());
    TreeHash hash{};
    if (bytes.size() != hash.size()) step.fail("no hash of 32 bytes");
    std::copy(bytes.begin(), bytes.end(), hash.begin());
    out.path.push_back(hash);
  }
  out.index = json::to_uint64(json::Number{receipt.tx});
  return out;
}

json::Value proof_of(const Inclusion& inclusion) {
  json::Array path;
  for (const auto& hash : inclusion.path) path.emplace_back(to_base64(hash));
  return json::Object{{"entry", inclusion.entry}, {"checkpoint", inclusion.checkpoint}, {"path", std::move(path)}};
}

void verify_log_receipt(const Receipt& receipt, const attest::TrustPolicy& trust) {
  const auto name = receipt.chain.substr(log_scheme.size());
  const auto inclusion = inclusion_of(receipt);
  if (inclusion.entry != entry_of(receipt.bundle_digest, receipt.time)) {
    throw Error{ErrorKind::verification_failed, "the log's entry is about another digest or time than the receipt"};
  }
  const auto keys = trust.keys(attest::Role::log, name);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    try {
      return verify_inclusion(inclusion, name, keys[i]);
    } catch (const Error&) {
      if (i + 1 == keys.size()) throw;  // the last of the trusted keys says why
    }
  }
}

}  // namespace

json::Value Receipt::to_json() const {
  return json::Object{
      {"bundle_digest", bundle_digest.text()}, {"chain", chain}, {"tx", tx}, {"time", time}, {"proof", proof}};
}

Receipt Receipt::from_json(const json::Value& value, const std::string& document) {
  const json::Cursor top{value, document};
  top.allow_only({"bundle_digest", "chain", "tx", "time", "proof"});
  return {Digest::parse(top.at("bundle_digest").string()), top.at("chain").string(), top.at("tx").string(),
          top.at("time").string(), top.at("proof").value()};
}

LogAnchor::LogAnchor(fs::Path folder, std::string name, const crypto::Signer& signer, const fs::Path& state)
    : m_name(std::move(name)), m_seen(state), m_log(std::move(folder), m_name, &m_seen), m_signer(signer) {}

std::string LogAnchor::chain() const {
  return fmt::format("{}{}", log_scheme, m_name);
}

void LogAnchor::require_trusted(const attest::TrustPolicy& trust) const {
  (void)vkey_of(m_name, m_signer.public_key());  // a key of another type is refused as such
  attest::require_own_key(trust, attest::Role::log, m_name, m_signer.public_key());
}

Receipt LogAnchor::anchor(const Digest& bundle_digest) {
  const auto inclusion = m_log.append_once(bundle_digest.text(), entry_of(bundle_digest, format_time(now())), m_signer);
  return {bundle_digest, chain(), std::to_string(inclusion.index), time_in(inclusion.entry), proof_of(inclusion)};
}

void verify_receipt(const Receipt& receipt, const Digest& bundle_digest, const attest::TrustPolicy& trust) {
  if (receipt.bundle_digest != bundle_digest) {
    throw Error{ErrorKind::verification_failed, fmt::format("the anchor receipt is about {}, not about {}",
                                                            receipt.bundle_digest.brief(), bundle_digest.brief())};
  }
  if (receipt.chain.starts_with(log_scheme)) return verify_log_receipt(receipt, trust);
  throw Error{
      ErrorKind::verification_failed,
      fmt::format("a receipt of the chain '{}' cannot be checked here: only log:<name> can", printable(receipt.chain))};
}

Digest attach_receipt(oci::Store& store, const oci::Descriptor& version_index, const Receipt& receipt) {
  const std::string type{oci::media_type::anchor_receipt};
  const auto text = json::canonical(receipt.to_json());
  const oci::Attachment attachment{type,
                                   type,
                                   text,
                                   {{"ai.industriverse.capsule.anchor", receipt.chain},
                                    {"ai.industriverse.capsule.proof-digest", receipt.bundle_digest.text()}}};
  oci::attach(store, version_index, attachment);
  // After it: who finds it at the bundle need not look whether it is at the version, too.
  if (const auto size = store.blob_size(receipt.bundle_digest)) {
    oci::attach(store, {std::string{oci::media_type::sigstore_bundle}, receipt.bundle_digest, *size, {}, {}, {}},
                attachment);
  }
  return crypto::sha256(text);
}

}  // namespace capsule::anchor
