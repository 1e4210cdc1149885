#pragma once

#include <chrono>
#include <optional>

#include "json/cursor.hpp"
#include "workflow/model.hpp"
#include "workflow/run_state.hpp"

namespace capsule::workflow {

/// Reads a retryStrategy. Its expression must be understood and name nothing but lastRetry.exitCode, .status and
/// .message. A limit must be there: without one, Argo tries for ever.
RetryStrategy read_retry(const json::Cursor& at);

/// How long to wait before try number `attempt` + 1 (attempt counts from 1), or nothing when there is none: after a
/// success, beyond the limit, where policy or expression say no, or beyond maxDuration, which counts from the first
/// try. Pure.
std::optional<std::chrono::milliseconds> retry_delay(const RetryStrategy& retry, const Outcome& outcome,
                                                     unsigned attempt, std::chrono::milliseconds elapsed);

}  // namespace capsule::workflow
