#include "made_proof.hpp"

#include "http/client.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace generate_proof {

using namespace capsule;

std::string made_proof(proof::ProofService& service, const Digest& proof_hash, const std::vector<std::string>& types) {
  if (const auto earlier = service.find_by_hash(proof_hash)) return earlier->proof_id;
  json::Array wanted;
  for (const auto& type : types) wanted.emplace_back(type);
  const json::Object asked{{"title", "capsule run"},
                           {"requester", json::Object{{"who", "capsule-generate-proof"}}},
                           {"artifacts", json::Array{}},
                           {"proof_types", std::move(wanted)},
                           {"proof_hash", proof_hash.text()}};
  const auto reply = service.forward("/v1/proofs/generate", json::compact(asked));
  http::expect_success(reply, "asking for a proof");
  const auto value = json::parse(reply.body, "the proof service's answer");
  return json::Cursor{value, "the proof service's answer"}.at("proof_id").string();
}

}  // namespace generate_proof
