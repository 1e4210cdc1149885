#include "cluster/capability.hpp"

#include <catch2/catch.hpp>

#include "attest/trust_policy.hpp"
#include "json/parse.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

const attest::TrustPolicy trust =
    attest::TrustPolicy::parse("version: 1\ncapsule:\n  - keys: [{file: ecdsa-p256.pub.pem}]\n", "trust.yaml",
                               std::string{CAPSULE_TEST_SOURCE} + "/tests/keys");

Manifest manifest(const std::string& requirements, const std::string& more = "") {
  return parse_manifest(R"({"name":"x","version":"1.0.0","entrypoint":"run.py","requirements":)" + requirements + more +
                        "}");
}

json::Value node(const std::string& name, const std::string& allocatable = R"("cpu":"2","memory":"4Gi")",
                 const std::string& spec = "{}", const std::string& labels = "{}", bool ready = true) {
  return json::parse(R"({"metadata":{"name":")" + name + R"(","uid":"u-)" + name + R"(","labels":)" + labels +
                         R"(},"spec":)" + spec + R"(,"status":{"nodeInfo":{"architecture":"amd64"},"allocatable":{)" +
                         allocatable + R"(},"conditions":[{"type":"Ready","status":")" + (ready ? "True" : "False") +
                         R"("}]}})",
                     "node");
}

ClusterCheck check(const Manifest& wanted, const std::vector<json::Value>& nodes,
                   const std::vector<std::string>& allowed = {}, const std::vector<json::Value>& tolerations = {},
                   const Requested* requested = nullptr) {
  std::vector<Node> read;
  read.reserve(nodes.size());
  for (const auto& one : nodes) read.push_back(node_from(json::Cursor{one, "node"}));
  return check_nodes({wanted, allowed, tolerations, {}, requested}, read, {trust});
}

std::string reason(const ClusterCheck& of, const std::string& node, const std::string& requirement) {
  for (std::size_t i = 0; i < of.requirements.size(); ++i)
    if (of.requirements[i] == requirement) return of.find(node)->reasons[i];
  return "no such requirement";
}

const std::string gpu = R"("cpu":"8","memory":"64Gi","nvidia.com/gpu":"2")";

}  // namespace

TEST_CASE("a node of another system than Linux is none that a capsule's pod can go to, and the table says so") {
  auto windows = node("win-1");
  json::Object info{{"architecture", "amd64"}, {"operatingSystem", "windows"}};
  windows.if_object()->find("status")->if_object()->set("nodeInfo", std::move(info));
  const auto found = check(manifest("[]"), {node("plain"), windows});
  CHECK(found.accepted == std::vector<std::string>{"plain"});
  CHECK(reason(found, "win-1", "schedulable") == "its system is windows");
  CHECK(check(manifest("[]"), {windows}).report.unmet.front().requirement == "schedulable");
}

TEST_CASE("only the nodes that have what the capsule needs are accepted, the table says why the others are not") {
  const auto found = check(manifest(R"(["gpu:true"])"), {node("plain"), node("gpu", gpu)});
  CHECK(found.accepted == std::vector<std::string>{"gpu"});
  CHECK(found.gpu_resource == "nvidia.com/gpu");
  CHECK(found.report.met == std::vector<std::string>{"gpu:true"});
  CHECK(found.report.unmet.empty());
  CHECK(reason(found, "plain", "gpu:true") == "it offers no GPU");
  const std::vector<std::string> table{"plain  gpu:true  no: it offers no GPU", "plain  schedulable  yes",
                                       "gpu  gpu:true  yes", "gpu  schedulable  yes",
                                       "capacity not checked: what runs there already is not known here"};
  CHECK(found.table() == table);
}

TEST_CASE("what no node has is unmet with the reason of each, or waived and then not asked for") {
  const auto wanted = manifest(R"(["gpu:true","utid:hardware-bound"])");
  const auto refused = check(wanted, {node("a"), node("b")});
  REQUIRE(refused.report.unmet.size() == 2);
  CHECK(refused.report.unmet[0].reason == "node a: it offers no GPU, node b: it offers no GPU");
  CHECK(refused.report.unmet[1].reason.find("utid.industriverse.ai/certificate") != std::string::npos);
  CHECK(refused.accepted.empty());
  CHECK(kind_of([&] { refused.report.require_all_met(); }) == ErrorKind::unmet_requirement);
  const auto waived = check(wanted, {node("a")}, {"gpu:true", "utid:hardware-bound"});
  CHECK(waived.report.waived == std::vector<std::string>{"gpu:true", "utid:hardware-bound"});
  CHECK(waived.gpu_resource.empty());
  CHECK(waived.accepted == std::vector<std::string>{"a"});
  CHECK(kind_of([&] { check(wanted, {node("a")}, {"gpu:ture"}); }) == ErrorKind::usage);
}

TEST_CASE("a node that has what might be waived comes before one that has not") {
  const auto found = check(manifest(R"(["gpu:true"])"), {node("plain"), node("gpu", gpu)}, {"gpu:true"});
  CHECK(found.accepted == std::vector<std::string>{"gpu"});
  CHECK(found.report.waived.empty());
  CHECK(found.gpu_resource == "nvidia.com/gpu");
}

TEST_CASE("requirements that no node meets together are unmet") {
  const auto found =
      check(manifest(R"(["gpu:true"])"),
            {node("plain"), node("gpu", gpu, R"({"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]})")});
  REQUIRE(found.report.unmet.size() == 2);
  CHECK(found.report.unmet[0].reason == "node plain: it offers no GPU");
  CHECK(found.report.unmet[1].requirement == "schedulable");
  CHECK(found.report.unmet[1].reason ==
        "node gpu: its taint k=v:NoSchedule is not tolerated "
        "(spec.template.spec.tolerations of the ProofedDeployment)");
}

TEST_CASE("taints, cordons and nodes that are not ready; tolerations of the pod template") {
  const auto wanted = manifest("[]");
  CHECK(reason(check(wanted, {node("a", "", "{}", "{}", false)}), "a", "schedulable") == "it is not Ready");
  CHECK(reason(check(wanted, {node("a", "", R"({"unschedulable":true})")}), "a", "schedulable") == "it is cordoned");
  const auto tainted = node("a", "", R"({"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]})");
  const auto tolerated = [&](const std::string& toleration) {
    return check(wanted, {tainted}, {}, {json::parse(toleration, "toleration")}).report.unmet.empty();
  };
  CHECK(tolerated(R"({"key":"k","operator":"Exists"})"));
  CHECK(tolerated(R"({"operator":"Exists"})"));
  CHECK(tolerated(R"({"key":"k","value":"v","effect":"NoSchedule"})"));
  CHECK_FALSE(tolerated(R"({"key":"k","value":"w"})"));
  CHECK_FALSE(tolerated(R"({"key":"k","operator":"Exists","effect":"NoExecute"})"));
  CHECK_FALSE(tolerated(R"({"value":"v"})"));
  const auto preferred = node("a", "", R"({"taints":[{"key":"k","effect":"PreferNoSchedule"}]})");
  CHECK(check(wanted, {preferred}).report.unmet.empty());
  CHECK(check(wanted, {}).report.unmet.at(0).reason == "the cluster has no node");
}

TEST_CASE("a GPU's memory is what the label of its kind says") {
  const auto wanted = manifest(R"(["gpu:1","gpu-memory:20Gi"])");
  const auto labelled = [&](const std::string& labels) {
    return reason(check(wanted, {node("a", gpu, "{}", labels)}), "a", "gpu-memory:20Gi");
  };
  CHECK(labelled(R"({"nvidia.com/gpu.memory":"40960"})").empty());
  CHECK(labelled(R"({"nvidia.com/gpu.memory":"16384"})").find("wanted") != std::string::npos);
  CHECK(labelled("{}") == "no label says how much memory a nvidia.com/gpu has");
  const auto slices = R"("cpu":"8","memory":"64Gi","nvidia.com/mig-3g.20gb":"1")";
  const auto mig = check(wanted, {node("a", slices, "{}", R"({"nvidia.com/mig-3g.20gb.memory":"20480"})")});
  CHECK(mig.report.unmet.empty());
  CHECK(mig.gpu_resource == "nvidia.com/mig-3g.20gb");
}

TEST_CASE("what runs there already is no longer free, but for the deployment's own pods") {
  const auto pod = [](const std::string& ns, const std::string& app, const std::string& phase) {
    return json::parse(
        R"({"metadata":{"namespace":")" + ns + R"(","labels":{"app":")" + app +
            R"("}},"spec":{"nodeName":"a","containers":[{"resources":{"requests":{"nvidia.com/gpu":"2","memory":"63Gi"}}}]},"status":{"phase":")" +
            phase + R"("}})",
        "pod");
  };
  const auto wanted = manifest(R"(["gpu:1"])", R"(,"resources":{"memory":"2Gi"})");
  const auto with = [&](const std::vector<json::Value>& pods) {
    Requested requested;
    for (const auto& one : pods) add_requested(one, "ns", "x", requested);
    return check(wanted, {node("a", gpu)}, {}, {}, &requested);
  };
  CHECK(reason(with({pod("ns", "y", "Running")}), "a", "gpu:1") == "1 wanted, 0 of 2 nvidia.com/gpu free");
  CHECK(reason(with({pod("ns", "y", "Running")}), "a", "memory:2Gi") ==
        "1.0 GiB of 64.0 GiB free, the pod asks for 2.3 GiB (2.0 GiB of the manifest, 1/8 of that and 64 MiB for "
        "capsule-agent)");
  CHECK(with({pod("ns", "y", "Running")}).capacity_checked);
  CHECK(with({pod("ns", "y", "Succeeded")}).report.unmet.empty());
  CHECK(with({pod("ns", "x", "Running")}).report.unmet.empty());
  CHECK_FALSE(with({pod("other", "x", "Running")}).report.unmet.empty());
}

TEST_CASE("another architecture, too few processors, too little memory") {
  const auto found = check(manifest(R"(["arch:arm64"])", R"(,"resources":{"cpu":"3","memory":"8Gi"})"), {node("a")});
  CHECK(reason(found, "a", "arch:arm64") == "it is amd64");
  CHECK(reason(found, "a", "cpu:3") == "it gives pods 2 processors, the pod asks for 3 processors");
  CHECK(reason(found, "a", "memory:8Gi") ==
        "it gives pods 4.0 GiB, the pod asks for 9.1 GiB (8.0 GiB of the manifest, 1/8 of that and 64 MiB for "
        "capsule-agent)");
}

TEST_CASE("a node is held against what the pod asks for, not against what the manifest does") {
  const auto wanted = manifest("[]", R"(,"resources":{"memory":"2Gi","cpu":"10m"})");  // 2368 MiB
  const auto with = [&](const std::string& allocatable, const std::vector<std::string>& allowed = {}) {
    return check(wanted, {node("a", allocatable)}, allowed);
  };
  CHECK(with(R"("cpu":"50m","memory":"2368Mi")").report.unmet.empty());
  const auto between = with(R"("cpu":"49m","memory":"2367Mi")");
  CHECK(reason(between, "a", "memory:2Gi").find("the pod asks for 2.3 GiB (2.0 GiB of the manifest") !=
        std::string::npos);
  CHECK(reason(between, "a", "cpu:10m") == "it gives pods 0.049 processors, the pod asks for 0.05 processors");
  SECTION("waived, it asks for what a capsule has that names nothing, and that no node may lack") {
    CHECK(with(R"("cpu":"2","memory":"640Mi")", {"memory:2Gi"}).report.unmet.empty());
    const auto less = with(R"("cpu":"2","memory":"639Mi")", {"memory:2Gi"});
    CHECK(less.report.unmet.at(0).requirement == "schedulable");
    CHECK(reason(less, "a", "schedulable") == "it gives pods 639.0 MiB, the pod asks for 640.0 MiB of memory");
  }
  SECTION("one that names nothing") {
    const auto plain = manifest("[]");
    CHECK(check(plain, {node("a", R"("cpu":"100m","memory":"640Mi")")}).report.unmet.empty());
    CHECK(reason(check(plain, {node("a", R"("cpu":"99m","memory":"640Mi")")}), "a", "schedulable") ==
          "it gives pods 0.099 processors, the pod asks for 0.1 processors");
  }
}

TEST_CASE(
    "GPUs by a ResourceClaimTemplate: it must ask for enough, and what nodes have free is the scheduler's to know") {
  const auto claim = gpu_claim_from(json::parse(
      R"({"metadata":{"name":"gpus"},"spec":{"spec":{"devices":{"requests":[
          {"name":"a","exactly":{"deviceClassName":"x","count":2}},{"name":"b","exactly":{"deviceClassName":"x"}},
          {"name":"c","firstAvailable":[{"name":"d","count":3},{"name":"e","count":2}]}]}}}})",
      "template"));
  CHECK(claim.devices == 5);
  const auto all = gpu_claim_from(
      json::parse(R"({"spec":{"spec":{"devices":{"requests":[{"exactly":{"allocationMode":"All"}}]}}}})", "template"));
  CHECK(all.devices > 100);
  const std::vector<Node> nodes{node_from(json::Cursor{node("a"), "node"})};
  const auto claimed = [&](const std::string& requirements, const std::vector<std::string>& allowed = {}) {
    const auto wanted = manifest(requirements);
    return check_nodes({.manifest = wanted, .allowed = allowed, .gpu_claim = &claim}, nodes, {trust});
  };
  const auto found = claimed(R"(["gpu:5"])");
  CHECK(found.gpu_claim == "gpus");
  CHECK(found.gpu_resource.empty());
  CHECK(found.accepted == std::vector<std::string>{"a"});
  CHECK(found.table().at(2).find("gpus is there; whether a node has free devices for it is not checked") !=
        std::string::npos);
  CHECK(reason(claimed(R"(["gpu:6"])"), "a", "gpu:6") == "6 wanted, the ResourceClaimTemplate gpus asks for 5");
  CHECK(claimed(R"(["gpu:6"])", {"gpu:6"}).gpu_claim.empty());
  CHECK(reason(claimed(R"(["gpu-memory:1Gi"])"), "a", "gpu-memory:1Gi").find("is not known here") != std::string::npos);
}

TEST_CASE("going without is recommended only where that helps") {
  const auto words = [](const ClusterCheck& of) {
    try {
      of.report.require_all_met();
    } catch (const Error& error) {
      return error.message();
    }
    return std::string{};
  };
  const std::string advice = "--allow-unmet REQUIREMENT goes without one";
  CHECK(words(check(manifest(R"(["gpu:true"])"), {node("a")})).find(advice) != std::string::npos);
  const auto cordoned = node("a", R"("cpu":"2","memory":"4Gi")", R"({"unschedulable":true})");
  CHECK(words(check(manifest(R"(["gpu:true"])"), {cordoned})).find(advice) == std::string::npos);
  CHECK(words(check(manifest(R"(["gpu:true"])"), {})).find(advice) == std::string::npos);
}
