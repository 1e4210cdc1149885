#include "cluster/proof_pod.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "cluster/single_pod.hpp"
#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;

namespace {

const Digest record = crypto::sha256("record");

json::Value pod(bool with_relay, const Manifest& manifest) {
  ProofPodWish wish{{manifest,
                     crypto::sha256("capsule"),
                     {CapsuleVolume::download, "oci://r/x@sha256:1", "r/x@sha256:2", 1, {}},
                     {"agent-image", "verify-image", "runtime-image"}},
                    record,
                    "hook",
                    std::chrono::seconds{90}};
  wish.pod.agent_arguments = {"--hook=proof-hooks/generate_proof.py"};
  if (with_relay) wish.relay = RelayWish{"relay-image", {"capsule-generate-proof", "relay"}};
  return json::Value{proof_pod(wish)};
}

Manifest manifest() {
  return parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","proof_policy":{"required":true,"types":["sim_alignment"]}})");
}

std::string text(const json::Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr ? "absent" : json::compact(*found);
}

/// An API server that answers a request to make a pod by one refusal.
struct Refusing {
  test::FakeCluster cluster;
  struct Http final : http::Client {
    explicit Http(http::Response all) : answer(std::move(all)) {}
    http::Response send(const http::Request&) override { return answer; }
    http::Response answer;
  };

  ErrorKind kind(int code, const std::string& reason, const std::string& message) {
    const json::Object status{{"kind", "Status"}, {"apiVersion", "v1"}, {"code", code},
                              {"reason", reason}, {"message", message}, {"details", json::Object{{"name", "x"}}}};
    const http::Response all{
        code, {{"Content-Type", "application/json"}}, json::compact(status), Url::parse("https://a.example/")};
    kube::Client client{cluster.config,
                        {.make_http = [&](const http::CurlLimits&) { return std::make_unique<Http>(all); }}};
    const auto wanted = manifest();
    std::mutex making;
    return kind_of([&] {
      SinglePod{client, {.ns = "ns", .pod = *pod(true, wanted).if_object(), .patience = 1ms}, making};
    });
  }
};

}  // namespace

TEST_CASE("a proof's pod has no token, is never started again, and ends by itself") {
  const auto wanted = manifest();
  const auto made = pod(true, wanted);
  CHECK(text(made, "/metadata/name") == "\"" + proof_pod_name(record, "hook") + "\"");
  CHECK(text(made, "/spec/automountServiceAccountToken") == "false");
  CHECK(text(made, "/spec/restartPolicy") == "\"Never\"");
  CHECK(text(made, "/spec/activeDeadlineSeconds") == "90");
  for (const std::string container : {"/spec/containers/0", "/spec/containers/1"}) {
    CHECK(text(made, container + "/securityContext/readOnlyRootFilesystem") == "true");
    CHECK(text(made, container + "/securityContext/capabilities/drop/0") == "\"ALL\"");
    CHECK(text(made, container + "/resources/limits/memory") != "absent");
  }
}

TEST_CASE("the API key is in a proof pod's relay alone") {
  const auto wanted = manifest();
  const auto made = pod(true, wanted);
  CHECK(text(made, "/spec/containers/1/name") == "\"relay\"");
  CHECK(text(made, "/spec/containers/1/volumeMounts/0/mountPath") == "\"/keys/proof-service\"");
  CHECK(text(made, "/spec/containers/0/volumeMounts").find("proof-service") == std::string::npos);
  CHECK(text(made, "/spec/initContainers").find("proof-service") == std::string::npos);
  CHECK(text(pod(false, wanted), "/spec").find("proof-service") == std::string::npos);
}

TEST_CASE("a deployment adopts no pod of a proof") {
  const auto wanted = manifest();
  const auto labels = text(pod(false, wanted), "/metadata/labels");
  CHECK(labels.find("\"app\"") == std::string::npos);
  CHECK(labels.find(label::pod_template) == std::string::npos);
}

TEST_CASE("a proof's pod is placed and pulled as its deployment's, and goes with its object") {
  const auto wanted = manifest();
  ProofPodWish wish{{wanted, crypto::sha256("capsule"), {}, {"agent-image", "verify-image", "runtime-image"}},
                    record,
                    "run-1",
                    std::chrono::seconds{90}};
  CHECK(text(json::Value{proof_pod(wish)}, "/metadata/ownerReferences") == "absent");
  wish.pod.passed_on = json::parse(
      R"({"spec": {"tolerations": [{"key": "gpu"}], "imagePullSecrets": [{"name": "login"}], "runtimeClassName": "kata"}})",
      "spec.template");
  wish.owner = Owner{"x", "u-1"};
  const auto made = json::Value{proof_pod(wish)};
  CHECK(text(made, "/spec/tolerations/0/key") == "\"gpu\"");
  CHECK(text(made, "/spec/imagePullSecrets/0/name") == "\"login\"");
  CHECK(text(made, "/spec/runtimeClassName") == "\"kata\"");
  CHECK(text(made, "/metadata/ownerReferences/0/uid") == "\"u-1\"");
  CHECK(text(made, "/metadata/ownerReferences/0/controller") == "absent");
}

TEST_CASE("why a proof's pod is not made says its exit code") {
  Refusing server;
  CHECK(server.kind(403, "Forbidden", "pods \"x\" is forbidden: exceeded quota: q") == ErrorKind::unavailable);
  CHECK(server.kind(403, "Forbidden", "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"") ==
        ErrorKind::denied);
  CHECK(server.kind(403, "Forbidden", "pods is forbidden: User \"u\" cannot create") == ErrorKind::denied);
  CHECK(server.kind(409, "AlreadyExists", "pods \"x\" already exists") == ErrorKind::busy);
}

TEST_CASE("a replay's pod asks for the GPUs that the deployment's pods have, and for no others") {
  const auto wanted = manifest();
  ProofPodWish wish{{wanted, crypto::sha256("capsule"), {}, {"agent-image", "verify-image", "runtime-image"}},
                    record,
                    "run-1",
                    std::chrono::seconds{90}};
  const auto before = json::Value{proof_pod(wish)};
  const std::string limits = R"({"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "2"})";
  const auto pods = json::parse(
      R"({"spec": {"affinity": {"nodeAffinity": {"a": 1}}, "resourceClaims": [{"name": "gpu"}], "containers": [)"
      R"({"name": "other", "resources": {"limits": {"amd.com/gpu": "1"}}}, {"name": "runner", "resources": {"limits": )" +
          limits + "}}]}}",
      "pods");
  wish.gpus = gpus_of(pods);
  auto made = json::Value{proof_pod(wish)};
  for (const std::string kind : {"requests", "limits"})
    CHECK(text(made, "/spec/containers/0/resources/" + kind + "/nvidia.com~1gpu") == "\"2\"");
  CHECK(text(made, "/spec/containers/0/resources").find("amd.com") == std::string::npos);
  CHECK(text(made, "/spec/containers/0/resources/limits/cpu") ==
        text(before, "/spec/containers/0/resources/limits/cpu"));
  CHECK(text(made, "/spec/affinity/nodeAffinity/a") == "1");
  CHECK(text(made, "/spec/resourceClaims") == "absent");  // the runner has none of them

  wish.gpus = gpus_of(json::parse(
      R"({"spec": {"resourceClaims": [{"name": "gpu"}], "containers": [{"name": "runner", "resources": {"claims": [{"name": "gpu"}]}}]}})",
      "pods"));
  made = json::Value{proof_pod(wish)};
  CHECK(text(made, "/spec/resourceClaims/0/name") == "\"gpu\"");
  CHECK(text(made, "/spec/containers/0/resources/claims/0/name") == "\"gpu\"");
  wish.gpus = gpus_of(json::parse(R"({"spec": {"containers": [{"name": "runner"}]}})", "pods"));
  CHECK(json::Value{proof_pod(wish)} == before);
}
