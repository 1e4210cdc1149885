#include "service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "documents.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace proof_service {

using namespace capsule;

namespace {

constexpr std::string_view base = "/v1/proofs";
constexpr std::string_view own_name = "capsule-proof-service";

serve::Response reply(const json::Value& value) {
  return {200, json::compact(value)};
}

/// What the platform's framework says of a body that does not fit.
serve::Response unprocessable(const Error& error) {
  const json::Object detail{{"loc", json::Array{"body"}}, {"msg", error.message()}, {"type", "value_error"}};
  return {422, json::compact(json::Object{{"detail", json::Array{detail}}})};
}

serve::Response no_such_proof() {
  return serve::refusal(404, "Proof not found");
}

serve::Response too_busy() {
  auto response = serve::refusal(429, "another proof is being checked: try again in some seconds");
  response.headers.emplace_back("Retry-After", "5");
  return response;
}

serve::Response unavailable(const Error& error) {
  auto response = serve::refusal(503, error.message());
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

json::Value or_null(const std::optional<std::string>& text) {
  return text ? json::Value{*text} : json::Value{};
}

json::Value or_null(const std::optional<double>& number) {
  return number ? json::Value{*number} : json::Value{};
}

bool is_proof_id(std::string_view text) {
  return text.size() == 14 && text.starts_with("proof_") && std::all_of(text.begin() + 6, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// How far a caller can bring a proof with what is known of its evidence: nobody gets past `processing` by asking.
State reachable(const Assessment& assessment, State wanted) {
  if (assessment.is_proven()) return wanted;
  return std::min(wanted, assessment.is_valid() ? State::verified : State::processing);
}

}  // namespace

bool takes_evidence(const std::string& path) {
  return path.starts_with(base) && path.ends_with("/status");
}

Service::Service(Store& store, UtidSecrets secrets, Secret api_key)
    : m_store(store),
      m_secrets(std::move(secrets)),
      m_api_key(std::move(api_key)),
      m_draw([] { return "proof_" + to_hex(crypto::random_bytes(4)); }) {}

serve::Response Service::answer(const Request& request) {
  const auto began = std::chrono::steady_clock::now();
  auto response = answer_any(request);
  m_metrics.count_answer(route_of(request.target.path), response.status, std::chrono::steady_clock::now() - began);
  return response;
}

serve::Response Service::answer_any(const Request& request) {
  try {
    if (auto known = answer_operator(request)) return std::move(*known);
    return route(request);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::invalid_input) return unprocessable(error);
    log::error(error.message());
    if (retry_helps(error.kind())) return unavailable(error);
    return serve::refusal(500, "Internal Server Error");
  }
}

std::optional<serve::Response> Service::answer_operator(const Request& request) const {
  const std::string_view path = request.target.path;
  if (path != "/healthz" && path != "/readyz" && path != "/metrics") return std::nullopt;
  if (request.method != "GET") return serve::refusal(405, "Method Not Allowed");
  if (path == "/healthz") return reply(json::Object{{"status", "ok"}});
  const auto proofs = m_store.count_by_state();  // ready: the database answers
  if (path == "/readyz") return reply(json::Object{{"status", "ok"}});
  return serve::Response{200, m_metrics.text(proofs), Metrics::content_type};
}

std::optional<serve::Response> Service::refuse_caller(const Request& request) const {
  if (!m_api_key.empty()) {
    const auto* key = request.header("x-api-key");
    if (key == nullptr || !same_secret(*key, m_api_key.reveal())) return serve::refusal(401, "Invalid API key");
  }
  if (request.target.path == "/v1/utid/generate") return std::nullopt;
  const auto* utid = request.header("x-utid");
  if (utid == nullptr || utid->empty()) return serve::refusal(403, "Missing X-UTID header");
  if (!is_own_utid(m_secrets, *utid)) return serve::refusal(403, "Invalid UTID");
  return std::nullopt;
}

serve::Response Service::route(const Request& request) {
  const std::string_view path = request.target.path;
  const bool is_utid = path == "/v1/utid/generate";
  const bool is_proofs = path == base || (path.starts_with(base) && path[base.size()] == '/');
  if (!is_utid && !is_proofs) return serve::refusal(404, "Not Found");
  if (auto refusal = refuse_caller(request)) return std::move(*refusal);
  if (is_utid) return request.method == "POST" ? generate_utid(request) : serve::refusal(405, "Method Not Allowed");
  const auto rest = path.substr(std::min(path.size(), base.size() + 1));
  if (rest.empty()) return request.method == "GET" ? list(request) : serve::refusal(405, "Method Not Allowed");
  const auto slash = rest.find('/');
  const std::string name{rest.substr(0, slash)};
  const auto action = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  if (name == "generate" && action.empty() && request.method == "POST") return generate(request);
  if (name == "verify" && action.empty() && request.method == "POST") return verify(request);
  return route_proof(request, name, action);
}

serve::Response Service::route_proof(const Request& request, const std::string& id, std::string_view action) {
  if (!action.empty() && action != "status") return serve::refusal(404, "Not Found");
  if (request.method != (action.empty() ? "GET" : "POST")) return serve::refusal(405, "Method Not Allowed");
  if (!is_proof_id(id)) return no_such_proof();
  return action.empty() ? show(id) : set_status(request, id);
}

serve::Response Service::generate_utid(const Request& request) const {
  const auto parts = fresh_utid(parse_context(request.body));
  return reply(json::Object{{"utid", make_utid(m_secrets, parts)}, {"issued_at_ms", parts.issued_at_ms}});
}

serve::Response Service::generate(const Request& request) {
  auto proof = parse_generate(request.body);
  proof.owner = *request.header("x-utid");
  if (!proof.utid) proof.utid = proof.owner;
  if (proof.hash.empty()) proof.hash = crypto::sha256(json::canonical(proof.inputs)).text();
  const auto id = m_store.add(proof, m_draw);
  return reply(json::Object{{"proof_id", id},
                            {"status", name_of(proof.state)},
                            {"estimated_time_s", 1},
                            {"verify_endpoint", fmt::format("{}/verify", base)},
                            {"utid", or_null(proof.utid)},
                            {"proof_hash", proof.hash}});
}

serve::Response Service::list(const Request& request) const {
  json::Array list;
  for (const auto& proof : m_store.list(parse_filter(request.target.query))) {
    auto inputs = proof.inputs;
    inputs.set("parent_proof_id", or_null(proof.parent));
    list.push_back(json::Object{{"proof_id", proof.id},
                                {"utid", or_null(proof.utid)},
                                {"domain", or_null(proof.domain)},
                                {"inputs", std::move(inputs)},
                                {"outputs", json::Object{{"status", name_of(proof.state)},
                                                         {"proof_hash", proof.hash},
                                                         {"anchors", proof.anchors},
                                                         {"proof_score", or_null(proof.score)}}},
                                {"metadata", proof.metadata}});
  }
  return reply(list);
}

/// Lets this service recognise what it said; to others it proves nothing.
std::string Service::signature_of(const Proof& proof) const {
  const auto text =
      json::canonical(json::Object{{"proof_id", proof.id}, {"hash", proof.hash}, {"status", name_of(proof.state)}});
  return to_hex(crypto::hmac_sha256(as_bytes(m_secrets.attestation.reveal()), as_bytes(text)));
}

serve::Response Service::show(const std::string& id) const {
  const auto proof = m_store.get(id);
  if (!proof) return no_such_proof();
  return reply(json::Object{{"proof_id", proof->id},
                            {"status", name_of(proof->state)},
                            {"hash", proof->hash},
                            {"anchors", proof->anchors},
                            {"evidence", proof->evidence},
                            {"signed_by", own_name},
                            {"signature", signature_of(*proof)},
                            {"utid", or_null(proof->utid)},
                            {"domain", or_null(proof->domain)}});
}

serve::Response Service::verify(const Request& request) {
  const auto order = parse_verify(request.body);
  const auto found = m_store.find_by_hash(order.hash);
  if (!found) return no_such_proof();
  // Long work: not under the store's lock.
  const auto assessed = m_assessor.assess(found->evidence, wanted_types(*found));
  if (!assessed) return too_busy();
  const auto& assessment = *assessed;
  Proof after;
  m_store.update(found->id, [&](Proof& proof) {
    if (proof.evidence == found->evidence) {
      proof.state = std::max(proof.state, reachable(assessment, State::verified));
      if (const auto score = assessment.score()) proof.score = score;
    }
    after = proof;
  });
  return reply(json::Object{{"status", name_of(after.state)},
                            {"valid", assessment.is_valid()},
                            {"verifier", order.verifier},
                            {"proof_id", after.id},
                            {"anchors", after.anchors},
                            {"proof_score", or_null(after.score)},
                            {"proof_hash", after.hash},
                            {"explanation", assessment.explanation},
                            {"checks", assessment.to_json()}});
}

serve::Response Service::set_status(const Request& request, const std::string& id) {
  const auto change = parse_status(request.body);
  const auto found = m_store.get(id);
  if (!found) return no_such_proof();
  if (*request.header("x-utid") != found->owner) return serve::refusal(403, "The proof is of another UTID");
  const auto evidence = change.evidence.value_or(found->evidence);
  const auto assessed = m_assessor.assess(evidence, wanted_types(*found));
  if (!assessed) return too_busy();
  const auto& assessment = *assessed;
  Proof after;
  const bool there = m_store.update(id, [&](Proof& proof) {
    if (change.anchors) proof.anchors = *change.anchors;
    const bool changed = change.evidence && proof.evidence != *change.evidence;
    if (change.evidence) proof.evidence = *change.evidence;
    // Other evidence has to earn its state anew.
    const auto least = changed ? State::queued : proof.state;
    if (proof.evidence == evidence) {
      proof.state = std::max(least, reachable(assessment, change.state));
      const auto score = assessment.score() ? assessment.score() : change.score;
      if (score || changed) proof.score = score;
    }
    after = proof;
  });
  if (!there) return no_such_proof();
  return reply(json::Object{{"proof_id", id},
                            {"status", name_of(after.state)},
                            {"anchors", after.anchors},
                            {"proof_score", or_null(after.score)},
                            {"explanation", assessment.explanation},
                            {"checks", assessment.to_json()}});
}

}  // namespace proof_service
