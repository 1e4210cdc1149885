#include "workflow/retry.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "yaml/parse.hpp"

using namespace capsule;
using namespace capsule::workflow;
using namespace std::chrono_literals;

namespace {

RetryStrategy read(std::string_view text) {
  const auto value = yaml::parse(text, "test");
  return read_retry(json::Cursor{value, "test", ErrorKind::usage});
}

Outcome outcome(Phase phase, int exit_code) {
  return {phase, exit_code, "words", {}};
}

const auto failed = outcome(Phase::failed, 40);
const auto faulty = outcome(Phase::error, 0);

}  // namespace

TEST_CASE("delays grow by the factor, to the cap") {
  const auto retry = read("{limit: '9', backoff: {duration: 10s, factor: '2', cap: 1m}}");
  const std::chrono::milliseconds expected[]{10s, 20s, 40s, 60s, 60s};
  for (unsigned attempt = 1; attempt <= 5; ++attempt)
    CHECK(retry_delay(retry, failed, attempt, 0s) == expected[attempt - 1]);
  CHECK(retry_delay(read("{limit: 2000000000, backoff: {duration: 24h, factor: 10}}"), failed, 900, 0s) == 24h);
}

TEST_CASE("tries end at the limit, at maxDuration, and with a success") {
  const auto retry = read("{limit: 2, backoff: {duration: 10s, maxDuration: 1m}}");
  CHECK(retry_delay(retry, failed, 2, 0s));
  CHECK_FALSE(retry_delay(retry, failed, 3, 0s));
  CHECK(retry_delay(retry, failed, 1, 50s));
  CHECK_FALSE(retry_delay(retry, failed, 1, 51s));
  CHECK_FALSE(retry_delay(retry, outcome(Phase::succeeded, 0), 1, 0s));
  CHECK_FALSE(retry_delay(read("{limit: 0}"), failed, 1, 0s));
}

TEST_CASE("policy and expression say what is tried again") {
  struct Case {
    std::string text;
    bool after_failure;
    bool after_error;
  };
  for (const auto& [text, after_failure, after_error] : std::initializer_list<Case>{
           {"{limit: 1}", true, false},
           {"{limit: 1, retryPolicy: Always}", true, true},
           {"{limit: 1, retryPolicy: OnError}", false, true},
           {"{limit: 1, expression: 'lastRetry.status == \"Error\"'}", false, true},
           {"{limit: 1, expression: 'asInt(lastRetry.exitCode) == 40 && lastRetry.message == \"words\"'}", true, false},
           {"{limit: 1, retryPolicy: OnError, expression: 'asInt(lastRetry.exitCode) == 40'}", false, false},
       }) {
    CAPTURE(text);
    CHECK(retry_delay(read(text), failed, 1, 0s).has_value() == after_failure);
    CHECK(retry_delay(read(text), faulty, 1, 0s).has_value() == after_error);
  }
}

TEST_CASE("a retryStrategy that is not understood is refused when it is read") {
  for (const std::string text :
       {"{}", "{limit: many}", "{limit: -1}", "{limit: 1, retryPolicy: OnTransientError}", "{limit: 1, surprise: 1}",
        "{limit: 1, backoff: {factor: two}}", "{limit: 1, backoff: {factor: 0.5}}",
        "{limit: 1, backoff: {duration: soon}}", "{limit: 1, expression: 'lastRetry.exit == 1'}",
        "{limit: 1, expression: '1 =='}", "{limit: 1, expression: 'x'}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), Error);
  }
}
