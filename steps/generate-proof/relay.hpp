#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/url.hpp"
#include "http/client.hpp"
#include "proof/proof_service.hpp"
#include "serve/server.hpp"

namespace generate_proof {

/// What is behind a relay: the proof service, where the relay can reach it, and the proof that it gave already, if it
/// did.
struct Behind {
  capsule::proof::ProofService* service = nullptr;  ///< nobody else may use it meanwhile
  std::optional<capsule::proof::ServiceProof> known{};
};

/// The hook's way out: a small server on loopback that passes on `POST /v1/proofs/generate` for our proof hash and the
/// UTID calls, and answers everything else by 403. It holds the API key and the UTID, so that the hook needs neither;
/// a proof that an earlier, killed try was given is given again instead of a second one.
class Relay {
 public:
  /// Listens when it returns.
  Relay(Behind behind, capsule::Digest proof_hash, std::string utid, const capsule::serve::Listen& listen = {});
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  [[nodiscard]] capsule::Url url() const;
  /// Why the service did not do what was asked last, where that is no fault of the hook: it could not be asked, is
  /// busy, does not take our key or UTID, or gave no answer that is one.
  [[nodiscard]] std::optional<capsule::Error> failure() const;

 private:
  void remember(std::optional<capsule::Error> failure);
  capsule::serve::Response passed_on(const capsule::http::Response& response);
  capsule::serve::Response answer(const capsule::serve::Request& request);
  capsule::serve::Response generate(const std::string& body);

  const Behind m_behind;
  capsule::Digest m_proof_hash;
  std::string m_utid;
  mutable std::mutex m_mutex;
  std::optional<capsule::Error> m_failure;
  capsule::serve::Server m_server;
  std::thread m_thread;
};

}  // namespace generate_proof
