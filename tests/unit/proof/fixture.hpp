#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/checker.hpp"
#include "proof/evidence.hpp"
#include "proof/statistics.hpp"
#include "support/bisection_prover.hpp"

namespace capsule::test {

using namespace proof;  // NOLINT(google-build-using-namespace)

inline const std::string claims_text = R"({
  "version": 1,
  "variables": {"x": {"min": 0, "max": 1}, "y": {"min": 0, "max": 1}},
  "definitions": {"score": {"sub": [1, {"add": [{"square": {"sub": ["x", 0.25]}}, {"square": {"sub": ["y", 0.5]}}]}]}},
  "claims": [
    {"name": "score-is-objective", "type": "compare", "left": {"record": "/result/score"}, "relation": "=",
     "right": {"at": {"x": {"record": "/result/params/x"}, "y": {"record": "/result/params/y"}}, "value": "score"},
     "tolerance": 1e-9},
    {"name": "near-optimal", "type": "forall", "left": "score", "relation": "<=",
     "right": {"add": [{"record": "/result/score"}, 0.01]}},
    {"name": "like-the-reference", "type": "sim_alignment", "samples": "/result/samples",
     "reference": "simulation/reference.json", "reference_pointer": "/samples", "max_effect_size": 0.8, "min_p": 0.01}
  ]})";
inline const std::string reference_text = R"({"samples": [1.0, 1.5, 2.5, 2.0, 3.0, 2.25]})";
inline const std::string record_text = R"({"seed": 7, "result": {"params": {"x": 0.25, "y": 0.5}, "score": 1.0,
  "samples": [1.25, 1.75, 2.0, 2.5, 2.75]}})";

/// A run, its capsule's claims, and the evidence that an honest hook makes.
struct ProvenRun {
  proof::Claims claims = parse_claims(claims_text);
  json::Value record = json::parse(record_text, "record");
  std::map<std::string, std::string> files{{"simulation/reference.json", reference_text}};

  [[nodiscard]] json::Object mathematical() const {
    json::Array list;
    std::string tree;
    for (const auto& claim : claims.claims) {
      if (claim.type == ClaimType::sim_alignment) continue;
      list.push_back(with_record_values(claim.document, record));
      if (claim.type == ClaimType::forall) tree = prove(compile(claim, claims, &record), claims.variables);
    }
    REQUIRE(!tree.empty());
    return {
        {"type", "mathematical_proof"},
        {"variables", claims.variables_document},
        {"definitions", claims.definitions_document},
        {"claims", list},
        {"certificates", json::Array{json::Object{{"claim", "near-optimal"}, {"type", "bisection"}, {"tree", tree}}}}};
  }

  static std::vector<double> numbers(const json::Value& array) {
    std::vector<double> out;
    for (const auto& value : *array.if_array()) out.push_back(json::to_double(*value.if_number()));
    return out;
  }

  [[nodiscard]] json::Object alignment() const {
    const auto& run = *record.at_pointer("/result/samples");
    const auto document = json::parse(reference_text, "reference");
    const auto& reference = *document.at_pointer("/samples");
    const auto left = numbers(run);
    const auto right = numbers(reference);
    const auto ks = kolmogorov_smirnov(left, right);
    const auto interval = bootstrap_mean_difference(left, right, 7, 2000);
    return {{"type", "sim_alignment"},
            {"claim", "like-the-reference"},
            {"samples_digest", crypto::sha256(json::canonical(run)).text()},
            {"reference_digest", crypto::sha256(json::canonical(reference)).text()},
            {"ks", json::Object{{"d", ks.d}, {"p", ks.p}}},
            {"cohens_d", cohens_d(left, right).value()},
            {"bootstrap", json::Object{{"low", interval.low}, {"high", interval.high}, {"draws", 2000}, {"seed", 7}}}};
  }

  [[nodiscard]] std::vector<ClaimResult> check(const json::Array& evidence) const {
    return check_evidence({claims, files, record}, evidence);
  }
  /// What the check says: "" if all holds.
  [[nodiscard]] std::string verdict(const json::Array& evidence) const {
    try {
      require_all_hold(check(evidence));
      return {};
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::verification_failed);
      return error.message();
    }
  }
};

}  // namespace capsule::test
