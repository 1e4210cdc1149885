#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json/value.hpp"
#include "store.hpp"

namespace proof_service {

// The bodies of requests, strictly read: what does not fit is Error invalid_input, answered by 422. Members that nobody
// knows are ignored, as the platform does.

/// POST /v1/proofs/generate: a new proof (without an id, without a hash if none was given).
Proof parse_generate(const std::string& body);

struct StatusChange {
  State state{};
  std::optional<capsule::json::Array> anchors;
  std::optional<capsule::json::Array> evidence;
  std::optional<double> score;
};
StatusChange parse_status(const std::string& body);

struct VerifyOrder {
  std::string hash;
  std::string verifier;
};
VerifyOrder parse_verify(const std::string& body);

/// The context of POST /v1/utid/generate; an empty body is an empty object.
std::map<std::string, std::string> parse_context(const std::string& body);

/// The query of GET /v1/proofs/.
Filter parse_filter(const std::map<std::string, std::string>& query);

/// The types that a proof was asked for.
std::vector<std::string> wanted_types(const Proof& proof);

}  // namespace proof_service
