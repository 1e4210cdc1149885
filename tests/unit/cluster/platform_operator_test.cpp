#include "cluster/platform_operator.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

/// One whose fields are set by that manager, and whose pods are of the template "t".
json::Value deployment(const std::string& manager, int replicas = 2) {
  return json::parse(R"({"metadata":{"resourceVersion":"1","managedFields":[{"manager":")" + manager +
                         R"(","operation":"Update","fieldsV1":{
                             "f:metadata":{"f:ownerReferences":{"k:{\"uid\":\"u-1\"}":{}}},
                             "f:spec":{"f:selector":{},"f:replicas":{},"f:template":{}}}}]},
                         "spec":{"replicas":)" +
                         std::to_string(replicas) +
                         R"(,"template":{"metadata":{"labels":{"capsule.industriverse.ai/template":"t"}}}}})",
                     "deployment");
}

json::Object wanted(int replicas) {
  return {{"metadata", json::Object{{"ownerReferences", json::Array{}}}},
          {"spec", json::Object{{"replicas", replicas},
                                {"selector", json::Object{}},
                                {"strategy", json::Object{}},
                                {"template", json::Object{}}}}};
}

}  // namespace

TEST_CASE("who set the selector made the Deployment; it has followed when its pods are of the wanted template") {
  CHECK(other_maker(deployment("dac-operator")) == "dac-operator");
  CHECK(other_maker(deployment("capsule-loop")).empty());
  CHECK(has_followed(deployment("dac-operator"), "t"));
  CHECK_FALSE(has_followed(deployment("dac-operator"), "newer"));
  CHECK(has_followed(deployment("capsule-loop"), "newer"));
}

TEST_CASE("what the operator sets beside the pod template is left to it, but a number of pods that lets none run") {
  const auto applied = [](int replicas, int there, const std::string& owner = "u-1") {
    return json::Value{left_to_operator(wanted(replicas), deployment("dac-operator", there), owner)};
  };
  const auto left = applied(1, 2);
  CHECK(left.at_pointer("/spec/replicas") == nullptr);
  CHECK(left.at_pointer("/spec/selector") == nullptr);
  CHECK(left.at_pointer("/spec/strategy") != nullptr);
  CHECK(left.at_pointer("/spec/template") != nullptr);
  CHECK(left.at_pointer("/metadata/ownerReferences") == nullptr);
  CHECK(applied(1, 0).at_pointer("/spec/replicas") != nullptr);
  CHECK(applied(0, 0).at_pointer("/spec/replicas") == nullptr);
  CHECK(applied(1, 1, "u-2").at_pointer("/metadata/ownerReferences") != nullptr);
}

TEST_CASE("spec.template is the pod template, less what is taken over from there") {
  const json::Value made{template_for_operator(
      {{"metadata", json::Object{{"labels", json::Object{}}}},
       {"spec", json::Object{{"containers", json::Array{}}, {"tolerations", json::Array{}}, {"affinity", 1}}}})};
  CHECK(made.at_pointer("/metadata/labels") != nullptr);
  CHECK(made.at_pointer("/spec/containers") != nullptr);
  CHECK(made.at_pointer("/spec")->if_object()->size() == 1);
}

TEST_CASE("other pods than ours are refused before anything is applied") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  const kube::Name name{kube::resources::deployments, "team", "x-deploy"};
  CHECK(kind_of([&] { require_our_pods(kube, name, deployment("dac-operator"), "newer", {}); }) == ErrorKind::conflict);
  CHECK(cluster.http.seen().empty());
  cluster.answer(200, R"({"metadata":{"managedFields":[
      {"manager":"capsule-loop","operation":"Apply","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{}}}}}},
      {"manager":"dac-operator","operation":"Update","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{
          "k:{\"name\":\"other\"}":{}}}}}}}]},"spec":{"template":{"spec":{"containers":[{"name":"other"}]}}}})");
  cluster.answer(200, R"({"spec":{"template":{"spec":{"containers":[]}}}})");
  CHECK(kind_of([&] { require_our_pods(kube, name, deployment("dac-operator"), "t", {}); }) == ErrorKind::conflict);
  CHECK(cluster.http.seen().back().url.text().find("dryRun=All") != std::string::npos);
}
