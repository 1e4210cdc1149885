#include "place.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "deploy/proof_hook.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "proof/bundle.hpp"
#include "proof/evidence.hpp"
#include "relay.hpp"

namespace generate_proof {

using namespace capsule;

static_assert(deploy::max_proof_bytes == proof::max_evidence_bytes, "what a hook may leave can be proven");

HookAnswer parse_answer(const std::string& proof, const std::string& hook) {
  try {
    const auto value = json::parse(proof, "proof.json", {proof::max_evidence_bytes, proof::max_evidence_depth});
    const json::Cursor top{value, "proof.json"};
    static_cast<void>(top.at("evidence").array());
    return {top.at("proof_id").string(), top.at("evidence").value()};
  } catch (const Error& error) {
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the capsule's proof hook {} left no good proof.json: {}", hook, error.message())};
  }
}

void throw_as_served(const Error& error, const std::optional<Error>& failure) {
  if (error.kind() != ErrorKind::capsule_failed || !failure) throw Error{error};
  throw Error{failure->kind(), fmt::format("the proof hook got no proof from the service: {}", failure->message())};
}

HookAnswer ThisMachinePlace::ask_hook(const HookWish& wish, proof::ProofService& service) {
  const Relay relay{{.service = &service, .known = wish.known}, wish.proof_hash, wish.utid};
  try {
    const auto end = deploy::run_hook({.root = m_capsule.unpacked.root(),
                                       .file = m_capsule.hook,
                                       .folder = m_capsule.unpacked.folder(),
                                       .run_record = wish.run_record,
                                       .service = relay.url(),
                                       .utid = wish.utid,
                                       .proof_hash = wish.proof_hash,
                                       .claims_digest = wish.claims_digest,
                                       .time_limit = m_time_limit,
                                       .memory = m_capsule.unpacked.capsule.manifest().memory_bytes()});
    for (const auto& part : end.missing)
      log::warning("the proof hook ran without a part of its confinement", {{"part", part}});
    return parse_answer(end.proof, m_capsule.hook);
  } catch (const Error& error) {
    throw_as_served(error, relay.failure());
  }
}

}  // namespace generate_proof
