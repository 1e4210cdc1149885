#include "cluster/plan.hpp"

#include <catch2/catch.hpp>

#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/objects.hpp"
#include "cluster/run_book.hpp"
#include "crypto/hash.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"
#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;
using Action = Plan::Action;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");

/// A deployment that is as it should be, to be spoilt.
struct There {
  PlanWish wish{{capsule_digest, "kubernetes:u", json::Object{}, 0, {}},
                parse_time("2026-11-29T12:00:00Z"),
                false,
                {},
                false,
                "asked"};
  json::Object object{{"metadata", json::Object{}},
                      {"spec", json::Object{{"capsule", json::Object{{"digest", capsule_digest.text()}}},
                                            {"proofPolicy", json::Object{{"required", true}}}}}};
  json::Value deployment = json::parse(R"({"metadata":{"managedFields":[
      {"manager":"hpa","operation":"Update","subresource":"scale","fieldsV1":{"f:spec":{"f:replicas":{}}}},
      {"manager":"capsule-loop","operation":"Apply","fieldsV1":{"f:spec":{"f:template":{"f:spec":{
          "f:initContainers":{"k:{\"name\":\"agent\"}":{},"k:{\"name\":\"capsule\"}":{}},
          "f:containers":{"k:{\"name\":\"runner\"}":{"f:env":{"k:{\"name\":\"TMPDIR\"}":{}}}}}}}}}]},"spec":{"template":{"spec":{
      "initContainers":[{"name":"agent","image":"agent:1"},{"name":"capsule","image":"verify:1"}],
      "containers":[{"name":"runner","image":"runtime:1","env":[{"name":"TMPDIR","value":"/tmp"}]}]}}}})",
                                       "deployment");
  json::Value trust = json::parse(
      R"({"metadata":{"managedFields":[{"manager":"capsule-loop","operation":"Apply","fieldsV1":{"f:data":{}}}]}})",
      "config map");

  There() {
    const auto record = crypto::sha256("record");
    RunBook book;
    auto entry = book.begin(wish.run);
    entry.record = record;
    book.finish(wish.run, entry);
    annotate(annotation::runs, book.text());
    deploy::set_pending(object, entry.request.run_id());
    deploy::set_ran(object, record, "warm");
    deploy::set_proved(object, {capsule_digest, record, "proof_1", crypto::sha256("bundle"), {}});
    leave();
  }
  /// As a deploy leaves it.
  void leave() {
    annotate(annotation::fields, receipt(wish.options_digest, json::Value{object}, {&deployment, &trust, nullptr}));
  }
  json::Object& spec() { return deploy::member(object, "spec"); }
  void annotate(std::string_view name, const std::string& text) {
    deploy::member(deploy::member(object, "metadata"), "annotations").set(name, text);
  }
  [[nodiscard]] std::string runs() const {
    return text_at(json::Value{object}, "/metadata/annotations/capsule.industriverse.ai~1runs");
  }
  json::Object& status() { return deploy::member(object, "status"); }
  [[nodiscard]] Plan plan() const {
    const json::Value value{object};
    return cluster::plan(wish, &value, {&deployment, &trust, nullptr});
  }
};

}  // namespace

TEST_CASE("what is as it should be needs nothing") {
  CHECK(There{}.plan().action == Action::none);
  CHECK(name_of(Action::deploy) == "deploy");
}

TEST_CASE("what is not there, is of another capsule, or was changed, is deployed") {
  const There there;
  CHECK(plan(there.wish, nullptr, {}).action == Action::deploy);
  const json::Value object{there.object};
  CHECK(plan(there.wish, &object, {}).reason == "its Deployment is not there");
  auto other = there;
  other.wish.run.capsule_digest = crypto::sha256("other");
  CHECK(other.plan().reason == capsule_digest.text() + " is deployed");
  auto changed = there;
  auto& managers = *deploy::member(*changed.deployment.if_object(), "metadata").find("managedFields")->if_array();
  *managers[0].if_object()->find("fieldsV1") = json::Object{{"f:spec", json::Object{{"f:paused", json::Object{}}}}};
  CHECK(changed.plan().action == Action::none);  // nothing of ours
  *managers[1].if_object()->find("fieldsV1") = json::Object{{"f:spec", json::Object{}}};
  CHECK(changed.plan().reason == "its Deployment was changed by somebody");
}

TEST_CASE("what somebody changed beside the Deployment, or added to it, is deployed") {
  const There there;
  const json::Value object{there.object};
  CHECK(plan(there.wish, &object, {&there.deployment, nullptr, nullptr}).reason ==
        "its ConfigMap was changed by somebody");
  CHECK(plan(there.wish, &object, {&there.deployment, &there.trust, &there.trust}).reason ==
        "its PodDisruptionBudget was changed by somebody");
  auto taken = there;
  *taken.trust.if_object()->find("metadata") = json::Object{};
  CHECK(taken.plan().reason == "its ConfigMap was changed by somebody");
  CHECK(plan(there.wish, &object, {&there.deployment, &there.trust, nullptr, "spec.paused (by me)"}).reason ==
        "somebody added to its Deployment: spec.paused (by me)");
  auto stuck = there;
  stuck.deployment.if_object()->set(
      "status", json::Object{{"conditions", json::Array{json::Object{
                                                {"type", "ReplicaFailure"}, {"status", "True"}, {"message", "why"}}}}});
  CHECK(stuck.plan().reason == "its pods do not come up: no pod is made: why");
}

TEST_CASE("a run that is not done is deployed, one that is not proved is proved") {
  const There there;
  auto parameters = there;
  parameters.wish.run.parameters = json::Object{{"n", 2}};
  CHECK(parameters.plan().reason == "its run is not done");
  const auto run = *RunBook::parse(there.runs()).find(there.wish.run);
  auto unproved = there;
  deploy::set_pending(unproved.object, run.request.run_id());
  deploy::set_ran(unproved.object, *run.record, "warm");
  CHECK(unproved.plan().action == Action::prove);
  deploy::member(unproved.spec(), "proofPolicy").set("required", false);
  CHECK(unproved.plan().action == Action::deploy);  // by hand: what the capsule wants is put right first
  unproved.leave();
  deploy::set_ran(unproved.object, *run.record, "warm");
  CHECK(unproved.plan().action == Action::none);
}

TEST_CASE("a run that is on record and was not the last one is deployed, so that the status is its own") {
  There there;
  deploy::RunWish other{capsule_digest, "kubernetes:u", json::Object{}, 0, 8};
  auto book = RunBook::parse(there.runs());
  auto entry = book.begin(other);
  entry.record = crypto::sha256("of the other");
  book.finish(other, entry);
  there.annotate(annotation::runs, book.text());
  deploy::set_pending(there.object, entry.request.run_id());
  deploy::set_ran(there.object, *entry.record, "warm");
  CHECK(there.plan().action == Action::deploy);
  CHECK(there.plan().reason == "its status is of another run");
  there.wish.run = other;
  CHECK(there.plan().reason == "its run is not proved");
}

TEST_CASE("a proof that failed is left alone for a while, unless it is wanted or the run is another one") {
  There there;
  const auto run = *RunBook::parse(there.runs()).find(there.wish.run);
  deploy::set_pending(there.object, run.request.run_id());
  deploy::set_ran(there.object, *run.record, "warm");
  set_failed_proof(there.object, *run.record, Error{ErrorKind::capsule_failed, "the hook has ended"}, there.wish.now);
  const auto what = "the proof of " + capsule_digest.text() + " has failed, and ";
  CHECK(there.plan().action == Action::none);
  CHECK(there.plan().reason == what + "is left alone until 2026-11-29T13:00:00.000Z");
  auto later = there;
  later.wish.now = parse_time("2026-11-29T13:00:01Z");
  CHECK(later.plan().action == Action::prove);
  CHECK(later.plan().reason == what + "may be tried again");
  auto wanted = there;
  wanted.wish.retry_failed = true;
  CHECK(wanted.plan().action == Action::prove);
  // What else is to be put right is not held back by it.
  auto changed = there;
  changed.spec().set("template", json::Object{});
  CHECK(changed.plan().action == Action::deploy);
  deploy::member(there.status(), "failedProof").set("runRecord", crypto::sha256("another record").text());
  CHECK(there.plan().reason == "its run is not proved");
}

TEST_CASE("an expired proof is renewed where that is wanted, and is named where it is not") {
  There there;
  deploy::member(there.status(), "lastRun").set("time", "2026-11-01T12:00:00Z");
  CHECK(there.plan().reason == "it is as it should be");  // no proof expires by itself
  there.wish.max_proof_age = std::chrono::hours{24 * 29};
  CHECK(there.plan().reason == "it is as it should be");
  there.wish.max_proof_age = std::chrono::hours{24 * 27};
  CHECK(there.plan().action == Action::none);
  CHECK(there.plan().reason ==
        "its proof has expired: its run ended at 2026-11-01T12:00:00Z, and the trust policy's max_age is 648 h 0 min; "
        "renew-proofs is not set");
  there.wish.renew_proofs = true;
  CHECK(there.plan().action == Action::renew);
  CHECK(name_of(Action::renew) == "renew");
  auto other = there;  // another run is under way, or its time is not to be read
  auto book = RunBook::parse(there.runs());
  deploy::RunWish wish{capsule_digest, "kubernetes:u", json::Object{{"n", 2}}, 0, {}};
  deploy::set_pending(other.object, book.begin(wish).request.run_id());
  other.annotate(annotation::runs, book.text());
  CHECK(other.plan().reason == "its status is of another run");
  auto unproved = there;  // no proof of it would be accepted any more
  deploy::set_condition(unproved.object, {"Proved", false, "ProofPending"});
  deploy::set_condition(unproved.object, {"Ready", false, "ProofPending"});
  unproved.status().set("phase", "Ran");
  CHECK(unproved.plan().action == Action::renew);
  unproved.wish.renew_proofs = false;
  CHECK(unproved.plan().action == Action::none);
  CHECK(unproved.plan().reason.starts_with("it is too late to prove it: its run ended at 2026-11-01T12:00:00Z"));
  deploy::member(there.status(), "lastRun").set("time", "long ago");
  CHECK(there.plan().action == Action::none);
}

TEST_CASE("a spec that was changed since, and a status that was lost or is of an earlier one, is deployed") {
  const There there;
  auto user = there;
  user.spec().set("autoscale", json::Object{{"minReplicas", 2}});
  CHECK(user.plan().reason == "the spec of its ProofedDeployment is another one than when it was deployed");
  auto lost = there;
  lost.object.erase("status");
  CHECK(lost.plan().reason == "its status is lost");
  auto asked = there;
  asked.wish.options_digest = "otherwise";
  CHECK(asked.plan().reason == "it was deployed with other options or images");
  auto earlier = there;
  auto& metadata = deploy::member(earlier.object, "metadata");
  metadata.set("generation", 2);
  metadata.set("managedFields", json::Array{json::Object{{"manager", "capsule-loop"}, {"subresource", "status"}}});
  CHECK(earlier.plan().reason == "its status is of an earlier generation of its spec");
}

TEST_CASE("an object that its user made, one that is on its way out, and a first run that was lost, are told apart") {
  const There there;
  auto made = there;
  made.object = json::Object{{"metadata", json::Object{}}, {"spec", json::Object{{"template", json::Object{}}}}};
  CHECK(made.plan().action == Action::deploy);
  CHECK(made.plan().reason == "no capsule is deployed yet");

  auto leaving = there;
  deploy::member(leaving.object, "metadata").set("deletionTimestamp", "2026-11-29T12:00:00Z");
  CHECK(leaving.plan().action == Action::deploy);
  CHECK(leaving.plan().reason == "it is being deleted: a deploy waits until it is gone, and makes it anew");

  auto lost = there;
  RunBook book;
  const auto begun = book.begin(lost.wish.run);
  book.finish(lost.wish.run, begun);
  lost.annotate(annotation::runs, book.text());
  deploy::set_pending(lost.object, begun.request.run_id());
  CHECK(lost.plan().reason == "its run was begun and is not done");
  deploy::set_failed(lost.object, Error{ErrorKind::unavailable, "pod x was evicted"});
  CHECK(lost.plan().reason == "its run did not come to its end: pod x was evicted");
  deploy::member(lost.object, "metadata")
      .set("annotations", json::Object{{std::string{annotation::runs}, book.text()}});
  CHECK(lost.plan().action == Action::deploy);
  CHECK(lost.plan().reason == "its run did not come to its end: pod x was evicted");
  lost.annotate(annotation::runs, "{}");  // it failed before that
  CHECK(lost.plan().reason == "its run is not done");
  lost.annotate(annotation::fields, "0123456789abcdef,0123456789abcdef");
  CHECK(lost.plan().reason == "it bears no receipt of this version's deploy");
}

TEST_CASE("a roll-out that failed is tried again after its pause, or after a change of the spec") {
  There there;
  there.status().set(
      "rollout", json::Object{{"digest", capsule_digest.text()}, {"count", 1}, {"retryAfter", "2026-11-29T12:30:00Z"}});
  CHECK(there.plan().action == Action::none);
  auto later = there;
  later.wish.now = parse_time("2026-11-29T12:31:00Z");
  CHECK(later.plan().reason == "the roll-out of " + capsule_digest.text() + " has failed, and may be tried again");
  there.spec().set("template", json::Object{});
  CHECK(there.plan().action == Action::deploy);
}

TEST_CASE("what failed to roll out is left alone for a while, unless it is wanted") {
  There there;
  deploy::member(there.spec(), "capsule").set("digest", "sha256:former");
  there.leave();
  CHECK(there.plan().action == Action::deploy);
  there.status().set(
      "rollout", json::Object{{"digest", capsule_digest.text()}, {"count", 1}, {"retryAfter", "2026-11-29T12:30:00Z"}});
  CHECK(there.plan().action == Action::none);
  CHECK(there.plan().reason.find("2026-11-29T12:30:00Z") != std::string::npos);
  there.wish.retry_failed = true;
  CHECK(there.plan().action == Action::deploy);
  there.wish.retry_failed = false;
  there.wish.now = parse_time("2026-11-29T12:31:00Z");
  CHECK(there.plan().action == Action::deploy);
  // Which we never wrote.
  for (const auto* time : {"soon", "2031-11-29T12:31:00Z"}) {
    there.status().set("rollout", json::Object{{"digest", capsule_digest.text()}, {"retryAfter", time}});
    CHECK(there.plan().action == Action::deploy);
  }
}
