#include "cluster/placement.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

std::string left_of(const std::string& pods, const std::string& managed = "[]") {
  return not_taken_over(
      json::parse(R"({"metadata":{"managedFields":)" + managed + R"(},"spec":{"template":)" + pods + "}}", "object"));
}

}  // namespace

TEST_CASE("what of spec.template no pod takes over is named, once and sorted") {
  const auto said = left_of(R"({"metadata":{"annotations":{"sidecar.istio.io/inject":"false"},"creationTimestamp":null},
      "spec":{"tolerationz":[{"operator":"Exists"}],"tolerations":[{"operator":"Exists"}],"schedulerName":"mine",
      "containers":[{"name":"a","resources":{"limits":{"cpu":"1"}}},{"name":"b","resources":{"limits":{"cpu":"2"}}}],
      "initContainers":[{"name":"c","env":[{"name":"A","value":"b"}],"command":[]}],"volumes":[],
      "topologySpreadConstraints":[{"maxSkew":1}]}})");
  CHECK(said ==
        "of the object's spec.template the pods do not take over metadata.annotations, spec.containers[].resources, "
        "spec.initContainers[].env, spec.schedulerName, spec.tolerationz, spec.topologySpreadConstraints: of its spec "
        "they have tolerations, nodeSelector, affinity, priorityClassName, runtimeClassName, serviceAccountName, "
        "imagePullSecrets, all else is the capsule's");
}

TEST_CASE("what is taken over, or says nothing, is not named") {
  CHECK(left_of("{}").empty());
  CHECK(left_of("null").empty());
  CHECK(left_of(R"({"spec":{"nodeSelector":{"a":"b"},"affinity":{"nodeAffinity":{}},"containers":[{"name":"runner"}],
      "volumes":[]},"metadata":{"labels":{}}})")
            .empty());
  CHECK(not_taken_over(json::parse("{}", "object")).empty());
}

TEST_CASE("many fields are not all named, and a long one not whole") {
  std::string spec;
  for (int i = 10; i < 40; ++i) spec += R"("x)" + std::to_string(i) + R"(":1,)";
  const auto said = left_of(R"({"spec":{)" + spec + R"("a)" + std::string(1000, 'y') + R"(":1}})");
  CHECK(said.find(", spec.x18 and 21 more: ") != std::string::npos);
  CHECK(said.size() < 500);
}

TEST_CASE("a pod template of ours, which stands there for an operator, is no one's mistake") {
  const std::string pods = R"({"spec":{"containers":[{"name":"runner","image":"x"}]}})";
  CHECK(!left_of(pods).empty());
  CHECK(left_of(pods, R"([{"manager":"capsule-loop","operation":"Apply",
      "fieldsV1":{"f:spec":{"f:template":{"f:spec":{}}}}}])")
            .empty());
  CHECK(!left_of(pods, R"([{"manager":"kubectl","operation":"Apply",
      "fieldsV1":{"f:spec":{"f:template":{"f:spec":{}}}}}])")
             .empty());
}
