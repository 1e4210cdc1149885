#include "proof/proof_service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/bundle.hpp"
#include "proof/evidence.hpp"

namespace capsule::proof {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{200};
constexpr milliseconds longest_pause{5'000};
constexpr int listed = 20;
constexpr std::string_view verifier = "capsule-generate-proof";

json::Value parse_answer(const http::Response& response, std::string_view what) {
  return json::parse(response.body, fmt::format("the proof service's answer to {}", what),
                     {.bytes = max_evidence_bytes + (std::size_t{1} << 20U), .depth = max_evidence_depth + 8});
}

/// A member that may be absent or null.
std::string text_or_empty(const json::Cursor& object, std::string_view key) {
  const auto member = object.optional(key);
  return member && !member->value().is_null() ? member->string() : std::string{};
}

ServiceProof read_proof(const json::Value& value, std::string_view what, std::string_view hash_key) {
  const json::Cursor top{value, fmt::format("the proof service's answer to {}", what)};
  return {.proof_id = top.at("proof_id").string(),
          .status = top.at("status").string(),
          .hash = text_or_empty(top, hash_key),
          .utid = text_or_empty(top, "utid")};
}

void require_proof_id(std::string_view proof_id) {
  if (!is_proof_id(proof_id))
    throw Error{ErrorKind::verification_failed, fmt::format("'{}' is no proof_id", printable(proof_id, 64))};
}

void require_same_proof(const ServiceProof& proof, std::string_view proof_id) {
  if (proof.proof_id == proof_id) return;
  throw Error{ErrorKind::verification_failed, fmt::format("asked about {}, the proof service answers about {}",
                                                          proof_id, printable(proof.proof_id, 64))};
}

}  // namespace

bool is_utid(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 512 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '.' ||
           c == '_' || c == '-';
  });
}

ProofService::ProofService(http::Client& client, Url base, std::optional<Secret> api_key, http::Timer timer)
    : m_client(client), m_base(std::move(base)), m_api_key(std::move(api_key)), m_timer(std::move(timer)) {}

void ProofService::use_utid(std::string utid) {
  if (!is_utid(utid)) throw Error{ErrorKind::usage, fmt::format("'{}' is no UTID", printable(utid, 64))};
  m_utid = std::move(utid);
}

http::Request ProofService::request(http::Method method, std::string_view path, std::string_view query) const {
  auto prefix = m_base.path();
  while (prefix.ends_with('/')) prefix.pop_back();
  http::Request out{.method = method, .url = m_base.with_path(prefix.append(path), query)};
  out.headers.add("Accept", "application/json");
  if (!m_utid.empty()) out.headers.add("X-UTID", m_utid);
  if (m_api_key && !m_api_key->empty()) out.credentials = http::Credentials{"X-API-Key", *m_api_key};
  out.time_limit = std::chrono::minutes{2};  // it may check a large certificate before it answers
  out.response_limit = max_evidence_bytes + (std::uint64_t{1} << 20U);
  return out;
}

http::Response ProofService::forward(const std::string& path, std::string body) {
  auto out = request(http::Method::post, path);
  out.headers.add("Content-Type", "application/json");
  out.body = std::move(body);
  return m_client.send(out);
}

http::Response ProofService::post(const std::string& path, const json::Value& body) {
  return forward(path, json::compact(body));
}

std::string ProofService::new_utid() {
  const auto response = post("/v1/utid/generate", json::Object{});
  http::expect_success(response, "asking for a UTID");
  const auto answer = parse_answer(response, "the request for a UTID");
  auto utid = json::Cursor{answer, "the proof service's answer to the request for a UTID"}.at("utid").string();
  if (!is_utid(utid)) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("the proof service gives a UTID that is none: '{}'", printable(utid, 64))};
  }
  return utid;
}

std::optional<ServiceProof> ProofService::find(std::string_view proof_id) {
  require_proof_id(proof_id);
  const auto response = m_client.send(request(http::Method::get, fmt::format("/v1/proofs/{}", proof_id)));
  if (response.status == 404) return std::nullopt;
  const auto what = fmt::format("asking about {}", proof_id);
  http::expect_success(response, what);
  auto proof = read_proof(parse_answer(response, proof_id), proof_id, "hash");
  require_same_proof(proof, proof_id);
  return proof;
}

std::optional<ServiceProof> ProofService::find_by_hash(const Digest& proof_hash) {
  const auto query = fmt::format("proof_hash={}%3A{}&limit={}", proof_hash.algorithm(), proof_hash.hex(), listed);
  const auto response = m_client.send(request(http::Method::get, "/v1/proofs/", query));
  http::expect_success(response, "looking for earlier proofs");
  const auto answer = parse_answer(response, "the list of proofs");
  // Lists hold noise of other makers too: what counts is what the proof itself says.
  for (const auto& entry : json::Cursor{answer, "the proof service's list of proofs"}.elements()) {
    const auto id = text_or_empty(entry, "proof_id");
    if (!is_proof_id(id)) continue;
    auto proof = find(id);
    if (!proof || proof->hash != proof_hash.text()) continue;
    if (proof->utid.empty() || proof->utid == m_utid) return proof;
  }
  return std::nullopt;
}

void ProofService::put_evidence(std::string_view proof_id, const json::Value& evidence) {
  require_proof_id(proof_id);
  const auto response = post(fmt::format("/v1/proofs/{}/status", proof_id),
                             json::Object{{"status", "processing"}, {"evidence", evidence}});
  http::expect_success(response, "giving the proof its evidence");
}

std::optional<ServiceProof> ProofService::verify(std::string_view proof_id, const Digest& proof_hash) {
  const auto response =
      post("/v1/proofs/verify", json::Object{{"proof_hash", proof_hash.text()}, {"verifier", verifier}});
  if (response.status == 404) return std::nullopt;
  http::expect_success(response, "verifying the proof");
  const auto answer = parse_answer(response, "verify");
  auto proof = read_proof(answer, "verify", "proof_hash");
  require_same_proof(proof, proof_id);
  const auto* valid = answer.if_object()->find("valid");
  if (valid == nullptr || valid->if_bool() == nullptr || !*valid->if_bool()) {
    throw Error{ErrorKind::verification_failed, fmt::format("the proof service does not call {} valid (state {})",
                                                            proof_id, printable(proof.status, 32))};
  }
  return proof;
}

ServiceProof ProofService::wait_until_final(std::string_view proof_id, milliseconds limit) {
  const auto began = m_timer.now();
  auto pause = first_pause;
  while (true) {
    const auto proof = find(proof_id);
    if (!proof)
      throw Error{ErrorKind::not_found, fmt::format("the proof service has forgotten {}: run again", proof_id)};
    if (proof->is_final()) return *proof;
    if (m_timer.now() - began + pause > limit) {
      throw Error{ErrorKind::timed_out, fmt::format("{} is still '{}' at the proof service after {} s: run again later",
                                                    proof_id, printable(proof->status, 32),
                                                    std::chrono::duration_cast<std::chrono::seconds>(limit).count())};
    }
    m_timer.sleep(pause);
    pause = std::min(pause * 2, longest_pause);
  }
}

}  // namespace capsule::proof
