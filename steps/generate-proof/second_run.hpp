#pragma once

#include <chrono>

#include "json/value.hpp"
#include "unpacked.hpp"

namespace generate_proof {

struct SecondRun {
  const Unpacked& capsule;
  const capsule::json::Value& record;
  std::chrono::milliseconds time_limit;
};

/// Where claims are about the run's samples: runs the capsule once more with the recorded parameters and seed, confined
/// and without anything that the first run left, and requires the same output. A runner that copied its samples or drew
/// them with another seed is found by this, not by statistics. Gives what the bundle says of it: {"done": true,
/// "output_digest"}, or {"done": false, "reason"} where no claim needs it or the capsule says it is not deterministic.
/// Errors verification_failed (naming the claims whose samples differ), those of deploy::Target.
capsule::json::Value run_again(const SecondRun& run);

}  // namespace generate_proof
