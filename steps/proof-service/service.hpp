#pragma once

#include <functional>
#include <string>

#include "assessor.hpp"
#include "core/secret.hpp"
#include "metrics.hpp"
#include "proof/evidence.hpp"
#include "serve/message.hpp"
#include "store.hpp"
#include "utid.hpp"

namespace proof_service {

/// Bytes of a request's body: evidence with the largest certificate that is checked fits.
inline constexpr std::size_t max_body_bytes = capsule::proof::max_evidence_bytes + (std::size_t{1} << 20U);

/// Whether a route's body can hold evidence; any other one has at most 1 MiB.
bool takes_evidence(const std::string& path);

/// The platform's API for proofs (README.md has every route), over HTTP messages but without a network. For several
/// threads at once.
class Service {
 public:
  /// `api_key` empty: none is asked for. The store must outlive it.
  Service(Store& store, UtidSecrets secrets, capsule::Secret api_key);
  capsule::serve::Response answer(const capsule::serve::Request& request);
  /// Replaces how proof ids are drawn: for tests.
  void set_draw(std::function<std::string()> draw) { m_draw = std::move(draw); }

 private:
  using Request = capsule::serve::Request;
  using Response = capsule::serve::Response;
  Response answer_any(const Request& request);
  Response route(const Request& request);
  /// /healthz, /readyz and /metrics, which ask for no header; nothing for any other path.
  [[nodiscard]] std::optional<Response> answer_operator(const Request& request) const;
  Response route_proof(const Request& request, const std::string& id, std::string_view action);
  [[nodiscard]] std::optional<Response> refuse_caller(const Request& request) const;
  Response generate_utid(const Request& request) const;
  Response generate(const Request& request);
  Response list(const Request& request) const;
  Response show(const std::string& id) const;
  Response verify(const Request& request);
  Response set_status(const Request& request, const std::string& id);
  [[nodiscard]] std::string signature_of(const Proof& proof) const;

  Store& m_store;
  Assessor m_assessor;
  Metrics m_metrics;
  UtidSecrets m_secrets;
  capsule::Secret m_api_key;
  std::function<std::string()> m_draw;
};

}  // namespace proof_service
