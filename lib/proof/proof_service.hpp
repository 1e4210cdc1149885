#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/secret.hpp"
#include "core/url.hpp"
#include "http/client.hpp"
#include "http/retry.hpp"
#include "json/value.hpp"

namespace capsule::proof {

/// A proof as a proof service knows it.
struct ServiceProof {
  std::string proof_id;
  std::string status;  ///< "queued", "processing", "verified", "validated"; others may come
  std::string hash;    ///< what it was made for, until `verify` replaces it
  std::string utid;    ///< empty: none

  /// The service has done all that it will do.
  [[nodiscard]] bool is_final() const noexcept { return status == "verified" || status == "validated"; }
};

/// Whether a text can be a UTID: 1 to 512 characters of [A-Za-z0-9:._-]. What it says is opaque.
bool is_utid(std::string_view text) noexcept;

/// Client for a proof service (README of steps/generate-proof, "The proof service"): ours, or the platform's, which
/// computes nothing by itself, has no failed state, gives a `verify_endpoint` that does not exist, and replaces the
/// stored hash when it is told to verify. Nothing that it says is believed beyond "this proof_id is for that hash".
/// Errors: those of http::expect_success; invalid_input for an answer that is none.
class ProofService {
 public:
  /// `api_key` goes out as X-API-Key, to that origin alone.
  ProofService(http::Client& client, Url base, std::optional<Secret> api_key, http::Timer timer = http::Timer::real());

  /// A fresh UTID (POST /v1/utid/generate).
  std::string new_utid();
  /// All further requests carry it as X-UTID.
  void use_utid(std::string utid);

  /// Nothing where the service does not know it.
  std::optional<ServiceProof> find(std::string_view proof_id);
  /// A proof that was made before for that hash and our UTID, or none, such as by a try that was killed; nothing where
  /// there is none.
  std::optional<ServiceProof> find_by_hash(const Digest& proof_hash);
  /// POSTs a body of somebody else's to `path` with our headers; any status comes back.
  http::Response forward(const std::string& path, std::string body);
  /// Gives the proof its evidence (POST …/status with the state "processing").
  void put_evidence(std::string_view proof_id, const json::Value& evidence);
  /// Asks the service to verify what it has under that hash, once: afterwards the hash is another. Nothing where no
  /// proof has the hash (any more). Error verification_failed where the service says that the proof is not valid, or
  /// answers for another proof.
  std::optional<ServiceProof> verify(std::string_view proof_id, const Digest& proof_hash);
  /// Asks again, with growing pauses, until the state is final; Error timed_out after `limit`.
  ServiceProof wait_until_final(std::string_view proof_id, std::chrono::milliseconds limit);

  [[nodiscard]] const Url& base() const noexcept { return m_base; }

 private:
  [[nodiscard]] http::Request request(http::Method method, std::string_view path, std::string_view query = {}) const;
  http::Response post(const std::string& path, const json::Value& body);

  http::Client& m_client;
  Url m_base;
  std::optional<Secret> m_api_key;
  http::Timer m_timer;
  std::string m_utid;
};

}  // namespace capsule::proof
