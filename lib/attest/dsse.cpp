#include "attest/dsse.hpp"

#include <fmt/format.h>

#include "attest/bundle.hpp"
#include "json/parse.hpp"

namespace capsule::attest {

std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(), payload);
}

Envelope sign_envelope(std::string payload_type, std::string payload, const crypto::Signer& signer) {
  auto signature = signer.sign(as_bytes(pre_authentication_encoding(payload_type, payload)));
  return {std::move(payload_type), std::move(payload), std::move(signature)};
}

bool verify_envelope(const Envelope& envelope, const crypto::PublicKey& key) {
  return key.verify(as_bytes(pre_authentication_encoding(envelope.payload_type, envelope.payload)), envelope.signature);
}

json::Value to_json(const Envelope& envelope) {
  return json::Object{{"payload", to_base64(as_bytes(envelope.payload))},
                      {"payloadType", envelope.payload_type},
                      {"signatures", json::Array{json::Object{{"sig", to_base64(envelope.signature)}}}}};
}

Bytes read_base64(const json::Cursor& text) {
  try {
    return from_base64(text.string());
  } catch (const Error& error) {
    text.fail(error.message());
  }
}

Envelope read_envelope(const json::Cursor& document) {
  document.allow_only({"payload", "payloadType", "signatures"});
  const auto signatures = document.at("signatures").elements();
  if (signatures.size() != 1) {
    document.at("signatures").fail(fmt::format("one signature is wanted, these are {}", signatures.size()));
  }
  const auto& signature = signatures.front();
  signature.allow_only({"sig", "keyid"});
  if (const auto key_id = signature.optional("keyid")) (void)key_id->string();
  const auto payload = read_base64(document.at("payload"));
  return {document.at("payloadType").string(), std::string{as_text(payload)}, read_base64(signature.at("sig"))};
}

Envelope parse_envelope(std::string_view text, std::string_view what) {
  const auto value = json::parse(text, what, {.bytes = max_bundle_bytes, .depth = 8});
  return read_envelope(json::Cursor{value, std::string{what}});
}

}  // namespace capsule::attest
