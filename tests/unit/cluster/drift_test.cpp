#include "cluster/drift.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

constexpr const char* ours = R"({"manager":"capsule-loop","operation":"Apply","fieldsV1":{"f:spec":{
    "f:selector":{},"f:template":{"f:metadata":{"f:annotations":{"f:digest":{}}},"f:spec":{
      "f:containers":{"k:{\"name\":\"runner\"}":{".":{},"f:name":{},"f:env":{"k:{\"name\":\"TMPDIR\"}":{".":{},"f:name":{}}}}},
      "f:volumes":{"k:{\"name\":\"tmp\"}":{".":{},"f:name":{},"f:emptyDir":{}}}}}}}},)";

constexpr const char* spec = R"({"replicas":3,"selector":{"a":"b"},"paused":true,"template":{
    "metadata":{"annotations":{"digest":"d","mine":"x","kubectl.kubernetes.io/restartedAt":"now"}},
    "spec":{"dnsPolicy":"ClusterFirst","hostNetwork":true,
      "containers":[{"name":"side"},{"name":"runner","lifecycle":{},"tty":true,"env":[{"name":"LD_PRELOAD"},{"name":"TMPDIR"}]}],
      "volumes":[{"name":"tmp","emptyDir":{"medium":"Memory"}},{"name":"s"}]}}})";

json::Value deployment(const std::string& fields, const std::string& manager = "stranger",
                       const std::string& before = ours) {
  return json::parse(R"({"metadata":{"resourceVersion":"7","managedFields":[)" + before + R"({"manager":")" + manager +
                         R"(","operation":"Update","fieldsV1":)" + fields + R"(}]},"spec":)" + spec + "}",
                     "deployment");
}

/// What `fields`, of a stranger, are called.
std::vector<std::string> names(const std::string& fields, const std::string& manager = "stranger",
                               const std::string& maker = {}) {
  std::vector<std::string> out;
  for (const auto& one : additions(deployment(fields, manager, ours), maker)) out.push_back(one.what);
  return out;
}

/// In the pods' spec.
std::vector<std::string> in_pods(const std::string& fields, const std::string& manager = "stranger",
                                 const std::string& maker = {}) {
  return names(R"({"f:spec":{"f:template":{"f:spec":)" + fields + "}}}", manager, maker);
}

constexpr const char* everything = R"({"f:metadata":{"f:labels":{"f:x":{}}},"f:spec":{"f:replicas":{},"f:paused":{},
    "f:template":{"f:metadata":{"f:annotations":{"f:mine":{},"f:kubectl.kubernetes.io/restartedAt":{}}},"f:spec":{
      "f:hostNetwork":{},
      "f:containers":{"k:{\"name\":\"side\"}":{".":{},"f:name":{}},
                      "k:{\"name\":\"runner\"}":{"f:lifecycle":{},"f:tty":{},"f:env":{"k:{\"name\":\"LD_PRELOAD\"}":{".":{}}}}},
      "f:volumes":{"k:{\"name\":\"s\"}":{".":{}},"k:{\"name\":\"tmp\"}":{"f:emptyDir":{"f:medium":{}}}}}}}})";

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what another manager has set beside our fields is named; what is nobody's is a default") {
  CHECK(in_pods(R"({"f:hostNetwork":{}})") == Names{"spec.template.spec.hostNetwork"});
  CHECK(in_pods(R"({"f:containers":{"k:{\"name\":\"side\"}":{".":{},"f:name":{}}}})") == Names{"container side"});
  CHECK(
      in_pods(
          R"({"f:containers":{"k:{\"name\":\"runner\"}":{"f:env":{".":{},"k:{\"name\":\"LD_PRELOAD\"}":{".":{},"f:name":{}}}}}})") ==
      Names{"env LD_PRELOAD of container runner"});
  CHECK(in_pods(
            R"({"f:containers":{"k:{\"name\":\"runner\"}":{"f:securityContext":{"f:capabilities":{"f:add":{}}}}}})") ==
        Names{"securityContext of container runner"});
  CHECK(in_pods(R"({"f:volumes":{"k:{\"name\":\"s\"}":{".":{},"f:secret":{}}}})") == Names{"volume s"});
  CHECK(in_pods(R"({"f:volumes":{"k:{\"name\":\"tmp\"}":{"f:emptyDir":{"f:medium":{}}}}})") ==
        Names{"spec.template.spec.volumes[name=tmp].emptyDir.medium"});
  CHECK(in_pods("{}").empty());
  CHECK(names(R"({"f:spec":{"f:minReadySeconds":{}}})") == Names{"spec.minReadySeconds"});
}

TEST_CASE("ours are two managers by their whole names, and nobody whose name begins like that") {
  constexpr const char* fields = R"({"f:spec":{"f:minReadySeconds":{}}})";
  for (const auto* stranger : {"capsule-loop-evil", "capsule-loop2", "capsule-loop-autoscale-2", "capsule", ""})
    CHECK(names(fields, stranger) == Names{"spec.minReadySeconds"});
  for (const auto* own : {"capsule-loop", "capsule-loop-autoscale"}) CHECK(names(fields, own).empty());
}

TEST_CASE("the number of pods, a restart that was asked for, what is beside the spec, and our own are no additions") {
  CHECK(names(R"({"f:spec":{"f:replicas":{}}})").empty());
  CHECK(names(R"({"f:metadata":{"f:labels":{"f:x":{}}},"f:status":{"f:replicas":{}}})").empty());
  CHECK(
      names(R"({"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:kubectl.kubernetes.io/restartedAt":{}}}}}})")
          .empty());
  CHECK(in_pods(R"({"f:hostNetwork":{}})", "capsule-loop").empty());
  CHECK(in_pods(R"({"f:containers":{"k:{\"name\":\"runner\"}":{"f:name":{}}}})").empty());  // it has set the same
  CHECK(additions(deployment(everything, "stranger", "")).empty());                         // nothing is ours
}

TEST_CASE("of what the platform's operator has set, only what our containers do is an addition") {
  CHECK(names(everything, "dac-operator", "dac-operator") ==
        Names{"spec.paused", "container side", "lifecycle of container runner", "env LD_PRELOAD of container runner"});
  CHECK(in_pods(R"({"f:hostNetwork":{}})", "stranger", "dac-operator") == Names{"spec.template.spec.hostNetwork"});
}

TEST_CASE("our own part of the spec has nothing that was added, nor what the API server fills in") {
  const auto there = deployment(everything, "stranger", ours);
  CHECK(json::Value{own_spec(there)} ==
        json::parse(R"({"replicas":3,"selector":{"a":"b"},"template":{"metadata":{"annotations":{"digest":"d"}},"spec":{
            "containers":[{"name":"runner","env":[{"name":"TMPDIR"}]}],"volumes":[{"name":"tmp","emptyDir":{}}]}}})",
                    "spec"));
  const json::Value kept{own_spec(deployment(everything, "dac-operator", ours), "dac-operator")};
  CHECK(kept.at_pointer("/paused") == nullptr);
  CHECK(*kept.at_pointer("/template/spec/hostNetwork") == json::Value{true});
  CHECK(*kept.at_pointer("/template/spec/containers") ==
        json::parse(R"([{"name":"runner","tty":true,"env":[{"name":"TMPDIR"}]}])", "containers"));
  CHECK(*kept.at_pointer("/template/spec/volumes/0/emptyDir/medium") == json::Value{"Memory"});
}

TEST_CASE("put in place of what is there, it keeps the number of pods and a restart that was asked for") {
  const auto there = deployment(everything);
  const json::Value put{in_place_of({{"replicas", 1}}, there)};
  CHECK(*put.at_pointer("/replicas") == json::Value{3});
  CHECK(*put.at_pointer("/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt") == json::Value{"now"});
}

TEST_CASE("a default that somebody has spelt out is no addition: what the API server would make without it is asked") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  const kube::Name name{kube::resources::deployments, "team", "x-deploy"};
  const auto there =
      deployment(R"({"f:spec":{"f:template":{"f:spec":{"f:dnsPolicy":{},"f:hostNetwork":{}}}}})", "gitops", ours);
  const auto found = [&] { return effective(additions(there), kube, name, there, own_spec(there)); };
  CHECK(effective({}, kube, name, there, {}).empty());
  CHECK(cluster.http.seen().empty());
  cluster.answer(200, R"({"spec":{"template":{"spec":{"dnsPolicy":"ClusterFirst"}}}})");
  CHECK(text_of(found()) == "spec.template.spec.hostNetwork (by gitops)");
  CHECK(cluster.http.seen().back().url.text().find("dryRun=All") != std::string::npos);
  cluster.fail(403, "Forbidden", "no");
  CHECK(found().size() == 2);
  cluster.fail(404, "NotFound", "no");
  CHECK_THROWS_AS(found(), Error);
}

TEST_CASE("what a later deploy has written is not mended") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  auto there = deployment(everything);
  auto& metadata = *there.if_object()->find("metadata")->if_object();
  metadata.set("annotations", json::Object{{"capsule.industriverse.ai/fence", "5"}});
  const kube::Name name{kube::resources::deployments, "team", "x-deploy"};
  CHECK(kind_of([&] { put_spec(kube, name, there, {}, 4); }) == ErrorKind::busy);
  CHECK(cluster.http.seen().empty());
  cluster.answer(200, "{}");
  put_spec(kube, name, there, {}, 5);
  CHECK(cluster.http.seen().back().body.find(R"("path":"/metadata/resourceVersion","value":"7")") != std::string::npos);
}

TEST_CASE("no more than four additions are named") {
  CHECK(text_of(std::vector<Addition>(6, {"x", "me", {}})) == "x (by me), x (by me), x (by me), x (by me), and 2 more");
}
