#include "attest/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/statement.hpp"
#include "core/error.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace capsule::attest {

namespace {

constexpr std::string_view sha256_name = "SHA2_256";

json::Value to_json(const MessageSignature& message) {
  return json::Object{{"messageDigest",
                       json::Object{{"algorithm", sha256_name}, {"digest", to_base64(from_hex(message.digest.hex()))}}},
                      {"signature", to_base64(message.signature)}};
}

MessageSignature read_message_signature(const json::Cursor& document) {
  document.allow_only({"messageDigest", "signature"});
  const auto digest = document.at("messageDigest");
  digest.allow_only({"algorithm", "digest"});
  if (digest.at("algorithm").string() != sha256_name) digest.at("algorithm").fail("SHA2_256 is wanted");
  const auto value = read_base64(digest.at("digest"));
  if (value.size() != 32) digest.at("digest").fail("32 bytes are wanted");
  return {Digest::sha256(to_hex(value)), read_base64(document.at("signature"))};
}

std::string read_hint(const json::Cursor& material) {
  // Log entries and timestamps speak for keys that live for minutes; a key that the caller trusts needs neither.
  material.allow_only({"publicKey", "tlogEntries", "timestampVerificationData"});
  if (const auto entries = material.optional("tlogEntries")) (void)entries->array();
  if (const auto timestamps = material.optional("timestampVerificationData")) (void)timestamps->object();
  const auto key = material.at("publicKey");
  key.allow_only({"hint"});
  const auto hint = key.optional("hint");
  return hint ? hint->string() : std::string{};
}

/// The hint selects, and proves nothing: where it names none of the keys, all are tried.
template <typename Verifies>
const crypto::PublicKey& find_signer(const Bundle& bundle, std::span<const crypto::PublicKey> keys,
                                     const Verifies& verifies) {
  if (keys.empty()) throw Error{ErrorKind::usage, "no trusted key to verify with"};
  const auto named = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.id() == bundle.hint; });
  if (named != keys.end()) {
    if (verifies(*named)) return *named;
  } else {
    const auto signer = std::find_if(keys.begin(), keys.end(), verifies);
    if (signer != keys.end()) return *signer;
  }
  throw Error{ErrorKind::verification_failed,
              fmt::format("the signature of the bundle is not one of the trusted key{} (the bundle names key '{}')",
                          keys.size() == 1 ? "" : "s", printable(bundle.hint, 60))};
}

void require_same(const Digest& signed_digest, const Digest& digest) {
  if (signed_digest == digest) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("the bundle is about {}, not about {}", signed_digest.text(), digest.text())};
}

}  // namespace

std::string Bundle::text() const {
  json::Object top{{"mediaType", bundle_media_type},
                   {"verificationMaterial", json::Object{{"publicKey", json::Object{{"hint", hint}}}}}};
  if (const auto* message = std::get_if<MessageSignature>(&content)) {
    top.set("messageSignature", to_json(*message));
  } else {
    top.set("dsseEnvelope", to_json(std::get<Envelope>(content)));
  }
  return json::compact(top);
}

Bundle Bundle::parse(std::string_view text, std::string_view what) {
  const auto value = json::parse(text, what, {.bytes = max_bundle_bytes});
  const json::Cursor top{value, std::string{what}};
  if (top.at("mediaType").string() != bundle_media_type) {
    top.at("mediaType").fail(fmt::format("not a Sigstore bundle v0.3 ({})", bundle_media_type));
  }
  top.allow_only({"mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope"});
  auto hint = read_hint(top.at("verificationMaterial"));
  const auto message = top.optional("messageSignature");
  const auto envelope = top.optional("dsseEnvelope");
  if (message.has_value() == envelope.has_value()) top.fail("one of messageSignature and dsseEnvelope is wanted");
  if (message) return {std::move(hint), read_message_signature(*message)};
  return {std::move(hint), read_envelope(*envelope)};
}

std::string sign_file(const Digest& digest, std::string_view name, const crypto::Signer& signer) {
  const auto key = signer.public_key();
  if (!signs_digests(key.type())) {
    return sign_statement({{{std::string{name}, digest}}, std::string{signature_predicate}, json::Object{}}, signer);
  }
  return Bundle{key.id(), MessageSignature{digest, signer.sign(crypto::Message{digest})}}.text();
}

FileSignature open_signature(std::string_view text, std::span<const crypto::PublicKey> keys) {
  const auto bundle = Bundle::parse(text, "the bundle");
  if (const auto* message = std::get_if<MessageSignature>(&bundle.content)) {
    const auto& key = find_signer(bundle, keys, [&](const auto& candidate) {
      return candidate.verify(crypto::Message{message->digest}, message->signature);
    });
    return {key, {message->digest}};
  }
  FileSignature out{verify_envelope(bundle, keys), {}};
  for (auto& subject : read_statement(std::get<Envelope>(bundle.content), signature_predicate).subjects)
    out.subjects.push_back(std::move(subject.digest));
  return out;
}

crypto::PublicKey verify_file(std::string_view text, std::span<const crypto::PublicKey> keys, const Digest& digest) {
  auto signature = open_signature(text, keys);
  if (signature.subjects.size() != 1) {
    throw Error{ErrorKind::verification_failed, "the bundle's statement is not about one file alone"};
  }
  require_same(signature.subjects.front(), digest);
  return std::move(signature.key);
}

const crypto::PublicKey& verify_envelope(const Bundle& bundle, std::span<const crypto::PublicKey> keys) {
  const auto* envelope = std::get_if<Envelope>(&bundle.content);
  if (envelope == nullptr) {
    throw Error{ErrorKind::verification_failed, "a signed statement is wanted, the bundle signs a file"};
  }
  return find_signer(bundle, keys, [&](const auto& key) { return verify_envelope(*envelope, key); });
}

}  // namespace capsule::attest
