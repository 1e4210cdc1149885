#include "cluster/pod_state.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

PodState state(const std::string& status, const std::string& metadata = "") {
  return pod_state(json::parse(R"({"metadata":{"name":"p","uid":"u","resourceVersion":"7")" + metadata +
                                   R"(},"spec":{"nodeName":"n"},"status":)" + status + "}",
                               "pod"));
}

/// Of a pod with one container in that state.
Trouble trouble(const std::string& container, const std::string& where = "containerStatuses") {
  const auto found =
      state(R"({"phase":"Pending",")" + where + R"(":[{"name":"runner","image":"i:1",)" + container + "}]}").trouble;
  REQUIRE(found);
  return *found;
}

Trouble refused(const std::string& message) {
  const auto found = trouble_of_deployment(json::parse(
      R"({"status":{"conditions":[{"type":"ReplicaFailure","status":"True","message":")" + message + R"("}]}})",
      "deployment"));
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("a pod is ready, claimed, or going") {
  const std::string ready = R"({"phase":"Running","conditions":[{"type":"Ready","status":"True"}]})";
  CHECK(state(ready).is_ready);
  CHECK(state(ready).run.empty());
  CHECK_FALSE(state(ready).is_going);
  CHECK(state(ready).node == "n");
  CHECK(state(ready, R"(,"annotations":{"capsule.industriverse.ai/run":"r"})").run == "r");
  CHECK(state(ready, R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")").is_going);
  CHECK(state(R"({"phase":"Failed"})").is_going);
  CHECK_FALSE(state(R"({"phase":"Pending"})").trouble);
}

TEST_CASE("an image that cannot be had says which, and whether waiting may help") {
  const auto gone = trouble(R"("state":{"waiting":{"reason":"ErrImagePull","message":"rpc error: i:1: not found"}})",
                            "initContainerStatuses");
  CHECK(gone.kind == ErrorKind::not_found);
  CHECK(gone.reason == "ImagePull");
  CHECK(gone.text.find("i:1") != std::string::npos);
  CHECK(gone.may_pass);
  CHECK(trouble(R"("state":{"waiting":{"reason":"ImagePullBackOff","message":"401 Unauthorized"}})").kind ==
        ErrorKind::denied);
  CHECK(trouble(R"("state":{"waiting":{"reason":"ImagePullBackOff","message":"i/o timeout"}})").kind ==
        ErrorKind::unavailable);
  CHECK_FALSE(trouble(R"("state":{"waiting":{"reason":"InvalidImageName","message":"x"}})").may_pass);
}

TEST_CASE("of an image volume that cannot be had, its own image is named, and of one that is refused, what opens it") {
  const auto of_volume = pod_state(json::parse(
      R"({"spec":{"volumes":[{"name":"tmp","emptyDir":{}},{"name":"capsule","image":{"reference":"r/c@sha256:0"}}]},"status":{
        "phase":"Pending","containerStatuses":[{"name":"runner","image":"i:1","state":{"waiting":{"reason":"ImagePullBackOff",
        "message":"Back-off pulling image \"r/c@sha256:0\": pull access denied"}}}]}})",
      "pod"));
  REQUIRE(of_volume.trouble);
  CHECK(of_volume.trouble->kind == ErrorKind::denied);
  CHECK(of_volume.trouble->text.find("the image r/c@sha256:0 cannot be had (ImagePullBackOff; have its "
                                     "imagePullSecrets a login there?): Back-off") != std::string::npos);
  const auto away = trouble(R"("state":{"waiting":{"reason":"ImagePullBackOff","message":"i/o timeout"}})");
  CHECK(away.text.find("imagePullSecrets") == std::string::npos);
}

TEST_CASE("a crash says its last words, and is of the kind that our programs' exit code tells") {
  const auto crash = trouble(
      R"("state":{"terminated":{"exitCode":16,"reason":"Error","message":"first\ncapsule-agent: error: install.sh failed\n"}})");
  CHECK(crash.kind == ErrorKind::capsule_failed);
  CHECK(crash.reason == "Crashed");
  CHECK(crash.text == "pod p: container runner ended with exit code 16: capsule-agent: error: install.sh failed");
  CHECK_FALSE(crash.may_pass);
  for (const auto kind : {ErrorKind::usage, ErrorKind::invalid_input, ErrorKind::verification_failed,
                          ErrorKind::not_found, ErrorKind::denied, ErrorKind::conflict, ErrorKind::unmet_requirement,
                          ErrorKind::capsule_failed, ErrorKind::unavailable, ErrorKind::timed_out, ErrorKind::busy})
    CHECK(trouble(R"("state":{"terminated":{"exitCode":)" + std::to_string(exit_code(kind)) + "}}").kind == kind);
  CHECK(trouble(R"("state":{"terminated":{"exitCode":1}})").kind == ErrorKind::capsule_failed);
  const auto registry = trouble(R"("state":{"terminated":{"exitCode":40}})");
  CHECK(registry.kind == ErrorKind::unavailable);
  CHECK(registry.may_pass);
  const auto again =
      trouble(R"("state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":40}})");
  CHECK_FALSE(again.may_pass);
  CHECK(trouble(R"("lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}})").reason == "OutOfMemory");
  CHECK_FALSE(state(R"({"initContainerStatuses":[{"name":"agent","state":{"terminated":{"exitCode":0}}}]})").trouble);
}

TEST_CASE("what no node takes, and what was evicted") {
  const auto full = state(
      R"({"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}]})");
  REQUIRE(full.trouble);
  CHECK(full.trouble->reason == "Unschedulable");
  CHECK(full.trouble->kind == ErrorKind::unavailable);
  CHECK(full.trouble->text.find("Insufficient nvidia.com/gpu") != std::string::npos);
  const auto evicted = state(R"({"phase":"Failed","reason":"Evicted","message":"low on memory"})");
  REQUIRE(evicted.trouble);
  CHECK(evicted.trouble->reason == "Evicted");
}

TEST_CASE("why no pod is made stands at the Deployment") {
  CHECK(refused("pods x is forbidden: exceeded quota: q").reason == "Quota");
  CHECK(refused("pods x is forbidden: violates PodSecurity restricted").kind == ErrorKind::denied);
  CHECK_FALSE(refused("pods x is forbidden: violates PodSecurity restricted").may_pass);
  CHECK(refused("something else").reason == "FailedCreate");
  CHECK_FALSE(
      trouble_of_deployment(json::parse(R"({"status":{"conditions":[{"type":"Available","status":"True"}]}})", "d")));
  // A refusal of the pods of an earlier spec.
  for (const auto* observed : {"3", "4"}) {
    const auto found = trouble_of_deployment(json::parse(
        std::string{R"({"metadata":{"generation":4},"status":{"observedGeneration":)"} + observed +
            R"(,"conditions":[{"type":"ReplicaFailure","status":"True","message":"violates PodSecurity"}]}})",
        "deployment"));
    CHECK(found.has_value() == (observed == std::string{"4"}));
  }
}

TEST_CASE("a Deployment is rolled out when all of its pods are of its last spec and available") {
  const auto rolled_out = [](const std::string& generation, const std::string& status) {
    return is_rolled_out(json::parse(
        R"({"metadata":{"generation":)" + generation + R"(},"spec":{"replicas":1},"status":)" + status + "}", "d"));
  };
  const std::string up = R"({"observedGeneration":2,"replicas":1,"updatedReplicas":1,"availableReplicas":1})";
  CHECK(rolled_out("2", up));
  CHECK_FALSE(rolled_out("3", up));
  CHECK_FALSE(rolled_out("2", R"({"observedGeneration":2,"replicas":2,"updatedReplicas":1,"availableReplicas":2})"));
  CHECK_FALSE(rolled_out("2", R"({"observedGeneration":2})"));
}

TEST_CASE("why the pods of a Deployment's present spec do not come up") {
  const auto now = parse_time("2026-11-29T12:00:00Z");
  const auto why = [&](const std::string& replicas, const std::string& condition) {
    return why_not_rolled_out(
        json::parse(R"({"spec":{"replicas":1},"status":{)" + replicas + R"(,"conditions":[)" + condition + "]}}",
                    "deployment"),
        now);
  };
  const auto progressing = [](const std::string& status, const std::string& time) {
    return R"({"type":"Progressing","status":")" + status + R"(","message":"over its deadline","lastUpdateTime":")" +
           time + R"("})";
  };
  const std::string both = R"("replicas":2,"updatedReplicas":1,"availableReplicas":1)";
  const std::string made = R"("replicas":1,"updatedReplicas":1)";
  const std::string up = made + R"(,"availableReplicas":1)";
  CHECK(why(up, progressing("True", "2026-11-28T12:00:00Z")).empty());
  CHECK(why(both, progressing("True", "2026-11-29T11:59:30Z")).empty());
  CHECK(why(both, progressing("True", "2026-11-29T11:58:30Z")).starts_with("pods of a former spec are there"));
  CHECK(why(both, progressing("True", "soon")).empty());
  CHECK(why(both, progressing("False", "2026-11-29T11:59:30Z")) == "over its deadline");
  const std::string refused = R"({"type":"ReplicaFailure","status":"True","message":"exceeded quota: q"})";
  CHECK(why(R"("replicas":1,"availableReplicas":1)", refused) ==
        "no pod is made, its quota is used up: exceeded quota: q");
  CHECK(why(up, refused).empty());  // one of former pods
  CHECK(why(R"("replicas":0)", "").empty());
  // Of those that had come up.
  const auto away = [&](const std::string& time) {
    return why(made, R"({"type":"Available","status":"False","lastTransitionTime":")" + time + R"("})");
  };
  CHECK(away("2026-11-29T11:59:30Z").empty());
  CHECK(away("2026-11-29T11:58:30Z").starts_with("too few of them are ready"));
}

TEST_CASE("pods of a former spec may be there until all are made anew") {
  const auto may = [](const std::string& status) {
    return may_have_former_pods(json::parse(R"({"metadata":{"generation":2},"status":)" + status + "}", "deployment"));
  };
  CHECK(may(R"({"observedGeneration":2,"replicas":2,"updatedReplicas":1})"));
  CHECK_FALSE(may(R"({"observedGeneration":2,"replicas":1,"updatedReplicas":1})"));
  CHECK_FALSE(may(R"({"observedGeneration":2})"));
}
