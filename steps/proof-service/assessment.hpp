#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json/value.hpp"
#include "proof/evidence.hpp"

namespace proof_service {

/// What the evidence of a proof is worth to someone who has neither the capsule nor the run record.
struct Assessment {
  std::vector<capsule::proof::ClaimResult> results;
  bool failed = false;      ///< something that could be checked does not hold, is malformed, or claims nothing
  bool held = false;        ///< something that could be checked holds
  bool complete = false;    ///< there is a piece of every type that was asked for, and of none that is not known
  std::string explanation;  ///< one line: what was checked, what was not, what failed

  /// All that could be checked holds, and nothing that was asked for is missing. What cannot be checked here does not
  /// count: is_proven() and the explanation say whether anything could.
  [[nodiscard]] bool is_valid() const noexcept { return complete && !failed; }
  /// Valid, and something was really checked.
  [[nodiscard]] bool is_proven() const noexcept { return is_valid() && held; }
  /// The part of the checked claims that holds; nothing where none was checked.
  [[nodiscard]] std::optional<double> score() const;
  [[nodiscard]] capsule::json::Array to_json() const;
};

/// Checks each piece by itself: a mathematical_proof's certificates against the claims that stand in it; a
/// sim_alignment only in its form, because the samples are not there. That the claims are those of a capsule and its
/// run is for whoever has both to check. Pure.
Assessment assess(const capsule::json::Array& evidence, const std::vector<std::string>& wanted_types);

}  // namespace proof_service
