#include "cluster/failed_try.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");
const std::string run_id = "0123456789abcdef";

json::Value with(json::Object rollout) {
  return json::Object{{"status", json::Object{{"rollout", std::move(rollout)}}}};
}

const Digest run_record = crypto::sha256("run record");

/// A deployment whose run is on record, and wants a proof, or not.
json::Object ran(bool wants_proof) {
  json::Object object{{"spec", json::Object{{"proofPolicy", json::Object{{"required", wants_proof}}}}}};
  deploy::set_pending(object, run_id);
  deploy::set_ran(object, run_record, "warm");
  return object;
}

/// "False: ProofPending: the message"; empty: there is none.
std::string condition(const json::Object& object, std::string_view type) {
  const json::Value value{object};
  for (const auto& one : json::array_at(value, "/status/conditions"))
    if (text_at(one, "/type") == type)
      return text_at(one, "/status") + ": " + text_at(one, "/reason") + ": " + text_at(one, "/message");
  return {};
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
  // What is away for a night is not left alone for a day when it is back.
  object = with({{"digest", capsule_digest.text()}, {"count", 30}});
  object = with(next_failure(object, capsule_digest.text(), ErrorKind::unavailable, {}, time));
  CHECK(text_at(object, "/status/rollout/retryAfter") == "2026-11-29T13:08:00.000Z");
  // Nor does it end the pause of a fault that passes not.
  object = with(next_failure(json::Object{}, capsule_digest.text(), ErrorKind::capsule_failed, {}, time));
  object = with(next_failure(object, capsule_digest.text(), ErrorKind::unavailable, {}, time));
  CHECK(text_at(object, "/status/rollout/retryAfter") == "2026-11-29T13:08:00.000Z");
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

TEST_CASE("a proof that failed says why, stalled where no retry helps, until it is made") {
  const auto time = parse_time("2026-11-29T12:00:00Z");
  auto object = ran(true);
  const auto before = object;
  set_failed_proof(object, run_record, Error{ErrorKind::capsule_failed, "the hook has ended"}, time);
  CHECK(condition(object, "Proved") == "False: ProofFailed: the hook has ended");
  CHECK(condition(object, "Ready") == "False: ProofFailed: the hook has ended");
  CHECK(condition(object, "Stalled") == "True: ProofFailed: the hook has ended");
  CHECK(text_at(json::Value{object}, "/status/phase") == "Ran");
  CHECK(has_failed_proof(object, run_record));
  CHECK_FALSE(has_failed_proof(object, crypto::sha256("another record")));
  CHECK(proof_left_alone_until(object, time) == "2026-11-29T13:00:00.000Z");
  CHECK_FALSE(left_alone_until(object, time));
  CHECK_FALSE(has_failed(object, capsule_digest, run_id));

  const auto later = parse_time("2026-11-29T13:00:00Z");
  set_failed_proof(object, run_record, Error{ErrorKind::unavailable, "no room"}, later);
  CHECK(condition(object, "Stalled") == "False: ProofFailed: no room");
  CHECK(proof_left_alone_until(object, later) == "2026-11-29T13:10:00.000Z");

  clear_failed_proof(object, crypto::sha256("another record"));
  CHECK(has_failed_proof(object, run_record));
  clear_failed_proof(object, run_record);
  CHECK_FALSE(has_failed_proof(object, run_record));
  for (const auto* type : {"Proved", "Ready", "Stalled"}) CHECK(condition(object, type) == condition(before, type));

  // What is left of it where somebody has taken the rest back.
  set_failed_proof(object, run_record, Error{ErrorKind::capsule_failed, "the hook has ended"}, time);
  deploy::member(object, "status").erase("failedProof");
  deploy::set_condition(object, {"Proved", true, "ProofVerified"});
  clear_failed_proof(object, run_record);
  CHECK(condition(object, "Proved") == "True: ProofVerified: ");
  CHECK(condition(object, "Stalled") == "False: Progressing: ");
}

TEST_CASE("a condition has room for the first 4 KiB of an error") {
  auto object = ran(true);
  set_failed_proof(object, run_record, Error{ErrorKind::capsule_failed, std::string(40000, 'x')}, now());
  CHECK(condition(object, "Proved") == "False: ProofFailed: " + std::string(4096, 'x') + "…");
}

TEST_CASE("a proof that failed changes nothing of another run, nor of one that is proved or needs no proof") {
  const auto time = parse_time("2026-11-29T12:00:00Z");
  const Error error{ErrorKind::capsule_failed, "the hook has ended"};
  auto object = ran(true);
  const auto before = object;
  set_failed_proof(object, crypto::sha256("a former record"), error, time);
  CHECK(object == before);
  deploy::set_proved(object, {capsule_digest, run_record, "proof_1", crypto::sha256("bundle"), {}});
  const auto proved = object;
  set_failed_proof(object, run_record, error, time);
  CHECK(object == proved);

  auto unneeded = ran(false);
  set_failed_proof(unneeded, run_record, error, time);
  CHECK(condition(unneeded, "Proved") == "False: ProofFailed: the hook has ended");
  CHECK(condition(unneeded, "Ready") == "True: Ran: ");
  CHECK(condition(unneeded, "Stalled") == "False: Progressing: ");
  clear_failed_proof(unneeded, run_record);
  CHECK(condition(unneeded, "Proved") == "False: NotRequired: ");

  // A new run is none of the one that could not be proved.
  auto failed = ran(true);
  set_failed_proof(failed, run_record, error, time);
  deploy::set_pending(failed, "fedcba9876543210");
  CHECK_FALSE(has_failed_proof(failed, run_record));
  CHECK(condition(failed, "Proved") == "False: ProofPending: ");
}
