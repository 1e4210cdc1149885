#include "cluster/failed_try.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "json/lookup.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");
const std::string run_id = "0123456789abcdef";

json::Value with(json::Object rollout) {
  return json::Object{{"status", json::Object{{"rollout", std::move(rollout)}}}};
}

}  // namespace

TEST_CASE("what has failed is left alone for an hour, then two, at most a day") {
  auto time = parse_time("2026-11-29T12:00:00Z");
  json::Value object = json::Object{};
  for (const auto* until : {"2026-11-29T13:00:00.000Z", "2026-11-29T15:00:00.000Z", "2026-11-29T19:00:00.000Z"}) {
    object = with(next_failure(object, capsule_digest.text(), ErrorKind::capsule_failed, {}, time));
    CHECK(left_alone_until(object, time) == until);
    time = parse_time(until);
    CHECK_FALSE(left_alone_until(object, time));
  }
  object = with({{"digest", capsule_digest.text()}, {"count", 30}});
  const auto longest = with(next_failure(object, capsule_digest.text(), ErrorKind::capsule_failed, {}, time));
  CHECK(text_at(longest, "/status/rollout/retryAfter") == "2026-11-30T19:00:00.000Z");
  // Another capsule begins anew.
  const auto other = with(next_failure(object, crypto::sha256("other").text(), ErrorKind::capsule_failed, {}, time));
  CHECK(text_at(other, "/status/rollout/retryAfter") == "2026-11-29T20:00:00.000Z");
}

TEST_CASE("what a retry helps is left alone for minutes, and tries in the pause count once") {
  auto time = parse_time("2026-11-29T12:00:00Z");
  json::Value object = json::Object{};
  for (int i = 0; i < 5; ++i, time += std::chrono::seconds{40})
    object = with(next_failure(object, capsule_digest.text(), ErrorKind::unavailable, {}, time));
  CHECK(text_at(object, "/status/rollout/retryAfter") == "2026-11-29T12:07:40.000Z");
  time = parse_time("2026-11-29T12:08:00Z");
  object = with(next_failure(object, capsule_digest.text(), ErrorKind::unavailable, {}, time));
  CHECK(text_at(object, "/status/rollout/retryAfter") == "2026-11-29T12:18:00.000Z");
}

TEST_CASE("a run that failed says nothing of another one, a roll-out of all") {
  const auto time = parse_time("2026-11-29T12:00:00Z");
  const auto run = with(next_failure(json::Object{}, capsule_digest.text(), ErrorKind::capsule_failed, run_id, time));
  CHECK(has_failed(run, capsule_digest, run_id));
  CHECK_FALSE(has_failed(run, capsule_digest, ""));
  CHECK_FALSE(has_failed(run, capsule_digest, "fedcba9876543210"));
  CHECK_FALSE(has_failed(run, crypto::sha256("other"), run_id));
  const auto roll_out = with(next_failure(json::Object{}, capsule_digest.text(), ErrorKind::capsule_failed, {}, time));
  CHECK(has_failed(roll_out, capsule_digest, ""));
  CHECK(has_failed(roll_out, capsule_digest, run_id));
  // A time that we never wrote keeps nothing back.
  for (const auto* wrong : {"soon", "2031-11-29T12:00:00Z"})
    CHECK_FALSE(left_alone_until(with({{"digest", capsule_digest.text()}, {"retryAfter", wrong}}), time));
}
