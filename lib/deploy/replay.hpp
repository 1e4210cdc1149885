#pragma once

#include <functional>
#include <string_view>

#include "capsule/verified_capsule.hpp"
#include "deploy/run_record.hpp"

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

/// Makes one run of the capsule, where no run was before, so that none can be remembered, and gives its result: the
/// runner's JSON object. Error capsule_failed when it fails or gives no result; timed_out.
using FreshRun = std::function<json::Value(const RunRequest&)>;

/// Runs the capsule again with the parameters, seed and budget of a run record. Errors: unmet_requirement for a capsule
/// that says it is not deterministic; verification_failed where the record contradicts itself or lacks what a run
/// needs; those of `run`.
Replayed replay(const FreshRun& run, const VerifiedCapsule& capsule, const json::Value& record);

}  // namespace capsule::deploy
