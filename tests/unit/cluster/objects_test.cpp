#include "cluster/objects.hpp"
#include "cluster/pod_parts.hpp"

#include <catch2/catch.hpp>

#include "attest/trust_policy.hpp"
#include "cluster/names.hpp"
#include "cluster/run_book.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");

Manifest manifest(const std::string& more = "") {
  return parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","proof_policy":{"required":true,"types":["sim_alignment"]},"prewarm":true)" +
      more + "}");
}

PodWish wish(const Manifest& wanted, CapsuleVolume volume = CapsuleVolume::download) {
  return {wanted,
          capsule_digest,
          {volume, "oci://r:5000/base/x@sha256:1", "r:5000/base/x@sha256:2", 1U << 20U, {"r:5000"}},
          {"agent-image", "verify-image", "runtime-image"}};
}

std::string text(const json::Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  if (found == nullptr) return "absent";
  return found->if_string() == nullptr ? json::compact(*found) : *found->if_string();
}

std::string template_label(const json::Value& made) {
  return *made.at_pointer("/metadata/labels")->if_object()->find(label::pod_template)->if_string();
}

}  // namespace

TEST_CASE("a capsule's pod is restricted, its root read-only, its volumes and memory limited") {
  const auto wanted = manifest();
  const json::Value made{pod_template(wish(wanted))};
  CHECK(text(made, "/spec/securityContext/runAsNonRoot") == "true");
  CHECK(text(made, "/spec/securityContext/seccompProfile/type") == "RuntimeDefault");
  CHECK(text(made, "/spec/automountServiceAccountToken") == "false");
  for (const std::string container : {"/spec/containers/0", "/spec/initContainers/0", "/spec/initContainers/1"}) {
    CAPTURE(container);
    CHECK(text(made, container + "/securityContext/readOnlyRootFilesystem") == "true");
    CHECK(text(made, container + "/securityContext/allowPrivilegeEscalation") == "false");
    CHECK(text(made, container + "/securityContext/capabilities/drop/0") == "ALL");
    // Words that somebody adds would be no field of ours.
    CHECK(text(made, container + "/command/1") == "absent");
    CHECK(text(made, container + "/args/0") != "absent");
    for (const auto* side : {"requests", "limits"}) {
      CHECK(text(made, container + "/resources/" + side + "/cpu") != "absent");
      CHECK(text(made, container + "/resources/" + side + "/memory") != "absent");
    }
  }
  for (const auto& volume : *made.at_pointer("/spec/volumes")->if_array()) {
    if (volume.at_pointer("/emptyDir") != nullptr) CHECK(text(volume, "/emptyDir/sizeLimit") != "absent");
  }
  CHECK(text(made, "/metadata/labels/app") == "x");
  CHECK(text(made, "/spec/nodeSelector/kubernetes.io~1os") == "linux");
  CHECK(text(made, "/spec/containers/0/readinessProbe/httpGet/path") == "/readyz");
}

TEST_CASE("where there are image volumes the package is mounted by its digest; else a container brings it") {
  const auto wanted = manifest();
  const json::Value downloads{pod_template(wish(wanted))};
  CHECK(text(downloads, "/spec/initContainers/1/image") == "verify-image");
  CHECK(text(downloads, "/spec/initContainers/1/args/4") == "oci://r:5000/base/x@sha256:1");
  CHECK(text(downloads, "/spec/containers/0/args/0") == "--root=/capsule/" + std::string{capsule_digest.hex()});
  const json::Value mounts{pod_template(wish(wanted, CapsuleVolume::image))};
  CHECK(mounts.at_pointer("/spec/initContainers")->if_array()->size() == 1);
  CHECK(text(mounts, "/spec/volumes/3/image/reference") == "r:5000/base/x@sha256:2");
  CHECK(text(mounts, "/spec/containers/0/args/0") == "--root=/capsule");
}

TEST_CASE("of spec.template only what places a pod and names its account is passed on") {
  const auto wanted = manifest(R"(,"requirements":["arch:arm64"])");
  auto asked = wish(wanted);
  asked.passed_on = json::parse(
      R"({"spec":{"tolerations":[{"operator":"Exists"}],"nodeSelector":{"zone":"a","kubernetes.io/os":"windows"},"priorityClassName":"high","hostNetwork":true,
          "securityContext":{"runAsUser":0},"containers":[{"name":"evil"}]}})",
      "template");
  const json::Value made{pod_template(asked)};
  CHECK(text(made, "/spec/tolerations/0/operator") == "Exists");
  CHECK(text(made, "/spec/nodeSelector/zone") == "a");
  CHECK(text(made, "/spec/nodeSelector/kubernetes.io~1os") == "linux");
  CHECK(text(made, "/spec/nodeSelector/kubernetes.io~1arch") == "arm64");
  CHECK(text(made, "/spec/priorityClassName") == "high");
  CHECK(text(made, "/spec/hostNetwork") == "absent");
  CHECK(text(made, "/spec/securityContext/runAsUser") == "65532");
  CHECK(made.at_pointer("/spec/containers")->if_array()->size() == 1);
}

TEST_CASE("a pod keeps to the nodes that were accepted, whatever affinity it has beside") {
  const auto wanted = manifest();
  auto asked = wish(wanted);
  asked.nodes = {"n1", "n2"};
  const std::string terms =
      "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
  const json::Value alone{pod_template(asked)};
  CHECK(text(alone, terms + "/0/matchFields/0/values/0") == "n1");
  CHECK(text(alone, terms + "/1/matchFields/0/values/0") == "n2");
  asked.passed_on = json::parse(
      R"({"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
          {"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}]}}}}})",
      "template");
  const json::Value beside{pod_template(asked)};
  CHECK(text(beside, terms + "/1/matchExpressions/0/key") == "zone");
  CHECK(text(beside, terms + "/1/matchFields/0/values/0") == "n2");
}

TEST_CASE("a pod asks for the GPUs and the memory that its manifest wants") {
  const auto wanted = manifest(R"(,"requirements":["gpu:2"],"resources":{"cpu":"500m","memory":"1Gi"})");
  auto asked = wish(wanted);
  asked.gpu_resource = "nvidia.com/gpu";
  const json::Value made{pod_template(asked)};
  CHECK(text(made, "/spec/containers/0/resources/limits/nvidia.com~1gpu") == "2");
  CHECK(text(made, "/spec/containers/0/resources/requests/cpu") == "500m");
  CHECK(text(made, "/spec/containers/0/resources/limits/memory") == "1216Mi");
}

TEST_CASE("the label of a template is the same for the same pods, and another for others") {
  const auto wanted = manifest();
  const json::Value one{pod_template(wish(wanted))};
  const json::Value same{pod_template(wish(wanted))};
  CHECK(template_label(one) == template_label(same));
  CHECK(template_label(one) != template_label(json::Value{pod_template(wish(wanted, CapsuleVolume::image))}));
}

TEST_CASE("the Deployment is owned by the object, and leaves replicas to an autoscaler") {
  const auto wanted = manifest();
  const json::Value made{deployment({"x", "uid-1"}, "ns", {pod_template(wish(wanted)), 2})};
  CHECK(text(made, "/metadata/name") == "x-deploy");
  CHECK(text(made, "/metadata/ownerReferences/0/uid") == "uid-1");
  CHECK(text(made, "/spec/replicas") == "2");
  CHECK(text(made, "/spec/selector/matchLabels/app") == "x");
  CHECK(text(made, "/spec/strategy/rollingUpdate/maxSurge") == "1");
  const json::Value scaled{deployment({"x", "uid-1"}, "ns", {pod_template(wish(wanted)), 2, false, true})};
  CHECK(text(scaled, "/spec/replicas") == "absent");
  CHECK(text(scaled, "/spec/strategy/rollingUpdate/maxSurge") == "0");
  CHECK(text(scaled, "/spec/strategy/rollingUpdate/maxUnavailable") == "1");
}

TEST_CASE("pods hold the capsule against the keys that signed it, all of them") {
  const auto keys = std::string{CAPSULE_TEST_SOURCE} + "/tests/keys/";
  std::vector<crypto::PublicKey> signers;
  for (const auto* name : {"ecdsa-p256.pub.pem", "ed25519.pub.pem"})
    signers.push_back(crypto::PublicKey::from_pem(fs::read_file(keys + name, 1U << 16U), name));
  const json::Value made{trust_config({"x", "uid-1"}, "ns", manifest(), signers)};
  const auto policy = attest::TrustPolicy::parse(text(made, "/data/trust.yaml"), "trust.yaml", "/");
  const auto found = policy.signers(attest::Role::capsule, "x");
  CHECK(found.threshold == 2);
  CHECK(found.keys.size() == 2);
}

TEST_CASE("a run is remembered for the same wish, and only a new one has another ordinal") {
  deploy::RunWish asked{capsule_digest, "kubernetes:u", json::Object{{"n", 1}}, 0, {}};
  RunBook book;
  CHECK_FALSE(book.find(asked));
  auto entry = book.begin(asked);
  CHECK(entry.request.ordinal == 1);
  auto again = RunBook::parse(book.text()).find(asked);
  REQUIRE(again);
  CHECK(again->request.run_id() == entry.request.run_id());
  CHECK_FALSE(again->record);
  entry.record = crypto::sha256("record");
  book.finish(asked, entry);
  CHECK(RunBook::parse(book.text()).find(asked)->record == crypto::sha256("record"));
  CHECK(book.begin(asked).request.ordinal == 2);
  auto other = asked;
  other.parameters = json::Object{{"n", 2}};
  CHECK_FALSE(book.find(other));
}

TEST_CASE("the runs of an object have a bound, and of a damaged text nothing is kept but that it was") {
  RunBook book;
  deploy::RunWish asked{capsule_digest, "kubernetes:u", json::Object{}, 0, {}};
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    asked.seed = seed;
    static_cast<void>(book.begin(asked));
  }
  CHECK(book.find(asked));
  CHECK(book.text().size() < 16'000);
  for (const std::string damaged :
       {"{", "[]", R"({"a":1})", R"({"a":{"ordinal":1,"seed":2,"run_id":3}})",
        R"({"a":{"ordinal":18446744073709551615,"seed":2,"run_id":"r"}})",
        R"({"a":{"ordinal":0,"seed":2,"run_id":"r"}})", R"({"a":{"ordinal":1,"seed":9007199254740992,"run_id":"r"}})"})
    CHECK(RunBook::parse(damaged).text() == R"({"incomplete":true})");
}

TEST_CASE("a book of runs that was damaged stays incomplete, and takes no ordinal that is on record") {
  const deploy::RunWish asked{capsule_digest, "kubernetes:u", json::Object{}, 0, {}};
  RunBook whole;
  const auto first = whole.begin(asked);
  CHECK_FALSE(RunBook::parse(whole.text()).is_incomplete());
  CHECK(whole.record_of(first.request.run_id()));

  auto damaged = RunBook::parse("garbage");
  CHECK(damaged.is_incomplete());
  CHECK_FALSE(damaged.record_of(first.request.run_id()));
  CHECK(damaged.begin(asked, 3).request.ordinal == 4);
  const auto again = RunBook::parse(damaged.text());
  CHECK(again.is_incomplete());
  CHECK(again.find(asked)->request.ordinal == 4);
}

TEST_CASE("a book of runs that has no room for one more is incomplete: those that went are on record alone") {
  deploy::RunWish asked{capsule_digest, "kubernetes:u", json::Object{}, 0, {}};
  RunBook book;
  const auto first = book.begin(asked);
  for (asked.seed = 1; *asked.seed < 64; ++*asked.seed) static_cast<void>(book.begin(asked));
  CHECK_FALSE(book.is_incomplete());
  static_cast<void>(book.begin(asked));
  CHECK_FALSE(book.record_of(first.request.run_id()));
  CHECK(book.is_incomplete());
  CHECK(RunBook::parse(book.text()).is_incomplete());
  // What is found on record takes the place of another.
  const auto size = book.text().size();
  for (asked.seed = 100; *asked.seed < 200; ++*asked.seed) book.finish(asked, first);
  CHECK(book.text().size() < 2 * size);
}

TEST_CASE("what is applied again has nothing of the API server, and not what others set") {
  const auto there =
      json::parse(R"({"metadata":{"name":"x","namespace":"team","uid":"u","resourceVersion":"7","labels":{"app":"x"},)"
                  R"("annotations":{"a":"b"},"ownerReferences":[{"uid":"o"}],"managedFields":[]},)"
                  R"("spec":{"template":{},"autoscale":{},"capsule":{}},"status":{}})",
                  "object");
  const json::Object kind{{"apiVersion", "v1"}, {"kind", "K"}};
  CHECK(json::compact(made_again(there, kind, "spec", {"template", "autoscale"})) ==
        R"({"apiVersion":"v1","kind":"K","metadata":{"name":"x","namespace":"team","labels":{"app":"x"},)"
        R"("ownerReferences":[{"uid":"o"}]},"spec":{"capsule":{}}})");
  const auto trusted = json::parse(R"({"metadata":{"name":"x","namespace":"team"},"data":{"trust.yaml":"k"}})", "map");
  CHECK(json::compact(made_again(trusted, kind, "data")) ==
        R"({"apiVersion":"v1","kind":"K","metadata":{"name":"x","namespace":"team"},"data":{"trust.yaml":"k"}})");
}

TEST_CASE("GPUs by a claim: the pod names its template, the container the claim, and no extended resource") {
  const auto wanted = manifest(R"(,"requirements":["gpu:2"])");
  auto asked = wish(wanted);
  asked.gpu_claim = "two-gpus";
  const json::Value made{pod_template(asked)};
  CHECK(text(made, "/spec/resourceClaims/0/resourceClaimTemplateName") == "two-gpus");
  CHECK(text(made, "/spec/containers/0/resources/claims/0/name") == text(made, "/spec/resourceClaims/0/name"));
  CHECK(made.at_pointer("/spec/containers/0/resources/limits")->if_object()->size() == 2);
}

TEST_CASE("quantities are written as the API server writes them") {
  CHECK(size_quantity(std::uint64_t{4096} << 20U) == "4Gi");
  CHECK(size_quantity((std::uint64_t{1} << 20U) + 1) == "2Mi");
  CHECK(size_quantity(std::uint64_t{1216} << 20U) == "1216Mi");
  CHECK(size_quantity(0) == "0Mi");
  CHECK(cpu_quantity(500) == "500m");
  CHECK(cpu_quantity(2000) == "2");
  const auto wanted = manifest(R"(,"resources":{"cpu":"0.5"})");
  CHECK(text(json::Value{pod_template(wish(wanted))}, "/spec/containers/0/resources/requests/cpu") == "500m");
}

TEST_CASE("a PodDisruptionBudget covers our pods alone, not those of somebody's Deployment of that name") {
  const json::Value budget{disruption_budget({"x", "u"}, "team")};
  const json::Object ours{{"app", "x"}, {"app.kubernetes.io/part-of", "capsule-loop"}};
  CHECK(*budget.at_pointer("/spec/selector/matchLabels") == json::Value{ours});
  const auto wanted = manifest();
  const json::Value pod{pod_template(wish(wanted))};
  CHECK(text(pod, "/metadata/labels/app.kubernetes.io~1part-of") == "capsule-loop");
}

TEST_CASE("what is waived, because no node has it, is not asked for") {
  const auto wanted = manifest(R"(,"requirements":["arch:arm64"],"resources":{"memory":"100Ti","cpu":"4000"})");
  auto pod = wish(wanted);
  const json::Value asked{pod_template(pod)};
  CHECK(text(asked, "/spec/nodeSelector/kubernetes.io~1arch") == "arm64");
  CHECK(text(asked, "/spec/containers/0/resources/requests/cpu") == "4000");
  pod.waived = {"arch:arm64", "memory:100Ti", "cpu:4000"};
  const json::Value made{pod_template(pod)};
  const auto plain_manifest = manifest();
  const json::Value plain{pod_template(wish(plain_manifest))};
  CHECK(*made.at_pointer("/spec/containers/0/resources") == *plain.at_pointer("/spec/containers/0/resources"));
  CHECK(text(made, "/spec/nodeSelector/kubernetes.io~1arch") == "absent");
}
