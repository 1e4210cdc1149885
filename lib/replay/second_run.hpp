#pragma once

#include <chrono>

#include "core/digest.hpp"
#include "deploy/replay.hpp"
#include "json/value.hpp"
#include "replay/unpacked.hpp"

namespace capsule::replay {

struct SecondRun {
  const Unpacked& capsule;
  const json::Value& record;  ///< of the first run
  std::chrono::milliseconds time_limit;
  deploy::FreshRun run{};  ///< where and how; none: on this machine, as `time_limit` has it
};

/// Whether claims are about a run's samples: then statistics cannot tell a good run from one whose runner copied the
/// reference or drew with another seed, a second run can.
[[nodiscard]] bool needs_second_run(const proof::CapsuleFacts& facts);

/// Runs the capsule once more with the recorded parameters and seed, confined and without anything that the first run
/// left, and requires the same output, samples first. Where claims are about samples, it runs it a third time with
/// another seed, and requires other samples: the recorded seed is then what they were drawn with. Returns the digest of
/// the second run's output. Errors verification_failed (naming the claims whose samples are not so), unmet_requirement
/// for a capsule that says it is not deterministic, those of deploy::FreshRun.
Digest run_again(const SecondRun& run);

}  // namespace capsule::replay
