#include "cluster/autoscale.hpp"

#include <catch2/catch.hpp>

#include "cluster/receipt.hpp"
#include "json/parse.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

json::Value deployment(const std::string& manager) {
  return json::parse(R"({"metadata":{"managedFields":[{"manager":")" + manager +
                         R"(","operation":"Apply","fieldsV1":{"f:spec":{"f:replicas":{}}}}]},"spec":{"replicas":2}})",
                     "deployment");
}

}  // namespace

TEST_CASE("the number of pods is handed over to an autoscaler once, and does not fall by that") {
  CHECK(handed_over(deployment("capsule-loop"), 1) == 2U);
  CHECK(handed_over(deployment("capsule-loop"), 3) == 3U);
  CHECK_FALSE(handed_over(deployment("capsule-loop-autoscale"), 3));
  CHECK(is_handed_over(deployment("capsule-loop-autoscale"), {}));
  CHECK_FALSE(handed_over(deployment("horizontal-pod-autoscaler"), 3));
  CHECK_FALSE(is_handed_over(deployment("horizontal-pod-autoscaler"), {}));
  // As the deploy left it which had handed it over, an autoscaler having taken it since.
  const auto taken = deployment("horizontal-pod-autoscaler");
  CHECK(is_handed_over(taken, receipt("asked", json::Object{}, {.deployment = &taken})));
  const auto ours = deployment("capsule-loop");
  CHECK_FALSE(is_handed_over(ours, receipt("asked", json::Object{}, {.deployment = &ours})));
  CHECK_FALSE(is_handed_over(taken, receipt("asked", json::Object{}, {.deployment = &ours})));
}

TEST_CASE("where there is no pod and a run wants one, the number is set whoever set it before") {
  for (const auto* manager : {"capsule-loop-autoscale", "horizontal-pod-autoscaler"}) {
    auto none = deployment(manager);
    none.if_object()->find("spec")->if_object()->set("replicas", 0);
    CHECK(handed_over(none, 1) == 1U);
    CHECK_FALSE(handed_over(none, 0));
  }
}

TEST_CASE("an autoscaler wants as many pods at least as the object says") {
  const auto from = [](const std::string& spec) {
    return autoscaled_from(json::parse(R"({"spec":{)" + spec + "}}", "object"));
  };
  CHECK_FALSE(from(""));
  CHECK_FALSE(from(R"("autoscale":null)"));
  CHECK(from(R"("autoscale":{})") == 0U);
  CHECK(from(R"("autoscale":{"minReplicas":2})") == 2U);
  CHECK(from(R"("autoscale":{"minReplicas":-1e300})") == 0U);
}

TEST_CASE("the number is set by a manager of its own, and given back without it") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  const kube::Name name{kube::resources::deployments, "team", "x-deploy"};
  for (const auto number : {std::optional<unsigned>{2}, std::optional<unsigned>{}}) {
    cluster.answer(200, "{}");
    set_handed_over(kube, name, number);
    const auto& request = cluster.http.seen().back();
    CHECK(request.url.text().find("fieldManager=capsule-loop-autoscale") != std::string::npos);
    CHECK((json::parse(request.body, "body").at_pointer("/spec/replicas") != nullptr) == number.has_value());
  }
}
