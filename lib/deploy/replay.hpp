#pragma once

#include <string_view>

#include "deploy/target.hpp"

namespace capsule::deploy {

/// Manifest annotation by which a capsule says that two runs with the same parameters and seed may differ ("false").
inline constexpr std::string_view deterministic_annotation = "ai.industriverse.capsule.deterministic";
[[nodiscard]] bool is_deterministic(const Manifest& manifest);

/// What a second run gave, beside what the record says of the first.
struct Replayed {
  json::Value result;
  Digest output;    ///< of that result, without `measured`
  Digest recorded;  ///< of the record's result, likewise
  [[nodiscard]] bool is_same() const noexcept { return output == recorded; }
};

/// Runs the capsule again with the parameters, seed and budget of a run record. Errors: unmet_requirement for a capsule
/// that says it is not deterministic; verification_failed where the record contradicts itself or lacks what a run
/// needs; those of Target::run. `capsule` is unpacked at `root` and prepared; a target without the data of the first
/// run shows more, because nothing can be remembered.
Replayed replay(Target& target, const VerifiedCapsule& capsule, const fs::Path& root, const json::Value& record);

}  // namespace capsule::deploy
