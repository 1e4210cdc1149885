#include "workflow/retry.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "workflow/expression.hpp"
#include "workflow/fields.hpp"
#include "workflow/scope.hpp"

namespace capsule::workflow {

namespace {

using json::Cursor;
using std::chrono::milliseconds;

constexpr std::uint64_t most_retries = 1000;
constexpr double longest_delay_ms = 86'400'000;

Scope scope_of(const Outcome& outcome) {
  Scope scope;
  scope.set("lastRetry.exitCode", std::to_string(outcome.exit_code));
  scope.set("lastRetry.status", std::string{name_of(outcome.phase)});
  scope.set("lastRetry.message", outcome.message);
  return scope;
}

unsigned read_limit(const Cursor& at) {
  const auto limit = at.at("limit");
  try {
    return static_cast<unsigned>(std::min(json::to_uint64(json::Number{scalar(limit)}), most_retries));
  } catch (const Error&) {
    limit.fail("a whole number is wanted");
  }
}

void read_backoff(const Cursor& at, RetryStrategy& out) {
  at.allow_only({"duration", "factor", "cap", "maxDuration"});
  out.delay = duration_if(at, "duration").value_or(milliseconds{0});
  out.cap = duration_if(at, "cap");
  out.max_duration = duration_if(at, "maxDuration");
  const auto factor = at.optional("factor");
  if (!factor) return;
  try {
    out.factor = json::to_double(json::Number{scalar(*factor)});
  } catch (const Error&) {
    factor->fail("a number is wanted");
  }
  if (out.factor < 1) factor->fail("a factor is 1 or more");
}

void read_policy(const Cursor& at, RetryStrategy& out) {
  const auto policy = at.optional("retryPolicy");
  // Argo's default is OnFailure, but Always where there is an expression.
  const auto text = policy ? policy->string() : out.expression.empty() ? "OnFailure" : "Always";
  out.on_failure = text == "Always" || text == "OnFailure";
  out.on_error = text == "Always" || text == "OnError";
  if (!out.on_failure && !out.on_error) policy->fail("Always, OnFailure or OnError is wanted here");
}

}  // namespace

RetryStrategy read_retry(const Cursor& at) {
  at.allow_only({"limit", "retryPolicy", "expression", "backoff", "affinity"});
  RetryStrategy out;
  out.limit = read_limit(at);
  if (const auto backoff = at.optional("backoff")) read_backoff(*backoff, out);
  if (const auto expression = at.optional("expression")) {
    out.expression = expression->string();
    try {
      check_expression(out.expression, Dialect::expr, scope_of({}).lookup());
    } catch (const Error& error) {
      expression->fail(error.message());
    }
  }
  read_policy(at, out);
  return out;
}

std::optional<milliseconds> retry_delay(const RetryStrategy& retry, const Outcome& outcome, unsigned attempt,
                                        milliseconds elapsed) {
  if (outcome.good() || attempt > retry.limit) return std::nullopt;
  if (!(outcome.phase == Phase::error ? retry.on_error : retry.on_failure)) return std::nullopt;
  if (!retry.expression.empty() && !evaluate_condition(retry.expression, Dialect::expr, scope_of(outcome).lookup()))
    return std::nullopt;
  auto delay = static_cast<double>(retry.delay.count());
  for (unsigned i = 1; i < attempt && delay < longest_delay_ms; ++i) delay *= retry.factor;
  if (retry.cap) delay = std::min(delay, static_cast<double>(retry.cap->count()));
  const milliseconds wait{static_cast<milliseconds::rep>(std::min(delay, longest_delay_ms))};
  if (retry.max_duration && elapsed + wait > *retry.max_duration) return std::nullopt;
  return wait;
}

}  // namespace capsule::workflow
