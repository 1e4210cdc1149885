#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::proof {

/// The largest file that a sim_alignment claim may name; 10,000 numbers take less than 300 KiB.
inline constexpr std::size_t max_reference_bytes = std::size_t{1} << 20U;

/// A variable and its box: min ≤ max, both finite.
struct Variable {
  std::string name;
  double min = 0;
  double max = 0;
};

enum class Relation { equal, less_equal, less };
std::string_view name_of(Relation relation) noexcept;  ///< "=", "<=", "<"

enum class ClaimType { compare, forall, sim_alignment };
std::string_view name_of(ClaimType type) noexcept;

/// One claim: what every run of the capsule has to satisfy.
struct Claim {
  std::string name;
  ClaimType type{};
  json::Value document;  ///< as it was written

  // compare: no variable is free; forall: for all variables in their box
  json::Value left;
  json::Value right;
  Relation relation{};
  double tolerance = 0;  ///< compare only; at least 0

  // sim_alignment
  std::string samples;            ///< JSON pointer into the run record
  std::string reference;          ///< path of a file of the capsule: *.json, at most max_reference_bytes
  std::string reference_pointer;  ///< JSON pointer into that file
  double max_effect_size = 0;     ///< largest |Cohen's d|
  double min_p = 0;               ///< smallest p of the Kolmogorov–Smirnov test
};

/// claims.json, version 1 (README of steps/generate-proof, "Claims").
struct Claims {
  static constexpr std::size_t max_variables = 26;  ///< one letter each in a certificate
  static constexpr std::size_t max_definitions = 1000;
  static constexpr std::size_t max_claims = 1000;
  static constexpr std::size_t max_json_depth = 48;

  std::vector<Variable> variables;  ///< byte-wise by name: 'a' of a certificate is the first
  std::map<std::string, json::Value, std::less<>> definitions;
  std::vector<Claim> claims;       ///< in the order of the document
  json::Value variables_document;  ///< as they were written: what evidence must repeat
  json::Value definitions_document;

  [[nodiscard]] const Claim* find(std::string_view name) const noexcept;
};

/// Parses and checks claims.json: every expression compiles, definitions form a DAG, compare claims have no free
/// variable. Error invalid_input with the JSON pointer; an unknown claim type, operator or member is one.
Claims parse_claims(std::string_view text, std::string_view what = "claims.json");

/// From parts that stand in a piece of evidence (`claims` holds compare and forall claims; nothing may refer to a
/// record any more, because the record's values are put in).
Claims claims_of_evidence(const json::Value& variables, const json::Value& definitions, const json::Value& claims);

/// `value` with every `{"record": pointer}` replaced by the number that the run record has there, as it is written.
/// Error verification_failed naming the pointer where the record has no number.
json::Value with_record_values(const json::Value& value, const json::Value& record);

}  // namespace capsule::proof
