#include "relay.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

constexpr std::string_view generate_path = "/v1/proofs/generate";
constexpr std::string_view utid_path = "/v1/utid/generate";

serve::Limits relay_limits() {
  serve::Limits limits;
  limits.body_bytes = std::size_t{1} << 20U;
  limits.connections = 16;
  limits.rate = {20, 40};
  limits.threads = 1;  // the client behind it serves one request at a time
  return limits;
}

/// What a status says of the service, not of what it was asked; nothing where all is well or the hook's to mend.
std::optional<Error> failure_in(const http::Response& response) {
  try {
    http::expect_success(response, "asking for a proof");
  } catch (const Error& error) {
    if (retry_helps(error.kind()) || error.kind() == ErrorKind::denied) return error;
  }
  return std::nullopt;
}

/// As the service answers `generate`.
serve::Response known(const proof::ServiceProof& proof) {
  return {.status = 200,
          .body = json::compact(json::Object{{"proof_id", proof.proof_id},
                                             {"status", proof.status},
                                             {"estimated_time_s", 0},
                                             {"verify_endpoint", fmt::format("/v1/proofs/{}", proof.proof_id)},
                                             {"utid", proof.utid},
                                             {"proof_hash", proof.hash}})};
}

}  // namespace

Relay::Relay(Behind behind, Digest proof_hash, std::string utid, const serve::Listen& listen)
    : m_behind(std::move(behind)),
      m_proof_hash(std::move(proof_hash)),
      m_utid(std::move(utid)),
      m_server(listen, relay_limits(), [this](const serve::Request& request) { return answer(request); }),
      m_thread([this] { m_server.run(); }) {}

Relay::~Relay() {
  m_server.stop();
  m_thread.join();
}

Url Relay::url() const {
  return Url::parse(m_server.url());
}

std::optional<Error> Relay::failure() const {
  const std::lock_guard lock{m_mutex};
  return m_failure;
}

void Relay::remember(std::optional<Error> failure) {
  const std::lock_guard lock{m_mutex};
  m_failure = std::move(failure);
}

serve::Response Relay::passed_on(const http::Response& response) {
  remember(failure_in(response));
  serve::Response out{.status = response.status, .body = response.body};
  if (const auto* retry_after = response.headers.find("Retry-After"))
    out.headers.emplace_back("Retry-After", *retry_after);
  return out;
}

serve::Response Relay::answer(const serve::Request& request) {
  if (request.method != "POST") return serve::refusal(403, "a proof hook may ask for a proof, and nothing else");
  try {
    if (request.target.path == generate_path) return generate(request.body);
    if (request.target.path == utid_path && m_behind.service != nullptr)
      return passed_on(m_behind.service->forward(std::string{utid_path}, request.body));
  } catch (const Error& error) {
    remember(error);  // the step's error says it, should the hook not get over it
    return serve::refusal(503, "the proof service cannot be reached");
  }
  return serve::refusal(403, "a proof hook may ask for a proof, and nothing else");
}

serve::Response Relay::generate(const std::string& body) {
  json::Value asked;
  try {
    asked = json::parse(body, "the request");
  } catch (const Error& error) {
    return serve::refusal(422, error.message());
  }
  const auto* hash = asked.at_pointer("/proof_hash");
  if (hash == nullptr || hash->if_string() == nullptr || *hash->if_string() != m_proof_hash.text())
    return serve::refusal(403, "proof_hash must be that of this run: CAPSULE_PROOF_HASH");
  if (const auto* utid = asked.at_pointer("/anchor/utid");
      utid != nullptr && !utid->is_null() && (utid->if_string() == nullptr || *utid->if_string() != m_utid))
    return serve::refusal(403, "anchor.utid must be that of this run: CAPSULE_UTID");
  if (m_behind.known) return known(*m_behind.known);
  if (const auto earlier = m_behind.service->find_by_hash(m_proof_hash)) return known(*earlier);
  return passed_on(m_behind.service->forward(std::string{generate_path}, body));
}

}  // namespace generate_proof
