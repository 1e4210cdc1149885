#include "cluster/proof_turn.hpp"

#include <catch2/catch.hpp>

#include "cluster/proof_pod.hpp"
#include "cluster/proof_setting.hpp"
#include "crypto/hash.hpp"
#include "support/error_kind.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;
using test::LeaseWorld;

namespace {

const Digest record = crypto::sha256("record");
const std::string lease = "/apis/coordination.k8s.io/v1/namespaces/team/leases/" + proof_lease_name(record);
constexpr const char* object = "/apis/infra.industriverse.ai/v1/namespaces/team/proofeddeployments/x";
constexpr const char* trust = "/api/v1/namespaces/team/configmaps/capsule-loop-trust-x";

Manifest manifest() {
  return parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","proof_policy":{"required":true,"types":["sim_alignment"]}})");
}

void hold(LeaseWorld& world, const std::string& holder) {
  world.server.put(lease,
                   json::Object{{"metadata", json::Object{}},
                                {"spec", json::Object{{"holderIdentity", holder}, {"leaseDurationSeconds", 30}}}});
}

ErrorKind refused(LeaseWorld& world, std::chrono::milliseconds patience) {
  return kind_of([&] { const ProofTurn turn{world.client, "team", record, patience}; });
}

std::string trust_text() {
  const auto keys = crypto::generate_key(crypto::KeyType::ecdsa_p256);
  const auto config =
      trust_config(Owner{"x", "u-1"}, "team", manifest(), {crypto::PublicKey::from_pem(keys.public_pem, "a key")});
  return test::ObjectServer::text(*json::Value{config}.at_pointer("/data"), "/trust.yaml");
}

void put_trust(LeaseWorld& world, const std::string& text) {
  world.server.put(trust, json::Object{{"metadata", json::Object{}}, {"data", json::Object{{"trust.yaml", text}}}});
}

ProofSetting setting(LeaseWorld& world, CapsuleVolume volume) {
  return find_proof_setting(world.client, "team", manifest(), volume);
}

}  // namespace

TEST_CASE("one proof of a run at a time, and its lease is gone with it") {
  LeaseWorld world;
  {
    ProofTurn turn{world.client, "team", record, 1s};
    turn.require();
    CHECK(world.server.objects.contains(lease));
    turn.give_back();
    CHECK_FALSE(world.server.objects.contains(lease));
  }
  ProofTurn again{world.client, "team", record, 1s};
  CHECK(world.server.objects.contains(lease));
}

TEST_CASE("another proof that lives is waited for until it is done, and no longer than its own time limits allow") {
  LeaseWorld world;
  hold(world, "other");
  world.server.before = [&](const http::Request&) {
    if (world.passed() < 300s) hold(world, "other");  // it renews its lease
    if (world.passed() >= 300s && world.passed() < 302s) world.server.objects.erase(lease);
  };
  CHECK(refused(world, 200s) == ErrorKind::busy);
  CHECK(world.passed() >= 200s);
  CHECK(world.passed() <= 202s);
  CHECK(world.server.objects.contains(lease));
  const ProofTurn turn{world.client, "team", record, 200s};
  CHECK(world.passed() >= 300s);
  CHECK(world.passed() <= 304s);
}

TEST_CASE("the proof of who was killed is taken over once its lease has run out") {
  LeaseWorld world;
  hold(world, "killed");
  const ProofTurn turn{world.client, "team", record, 1s};
  CHECK(world.passed() >= 30s);
  CHECK(test::ObjectServer::text(world.server.objects.at(lease), "/spec/holderIdentity") != "killed");
}

TEST_CASE("the lease of a proof goes with the object of its capsule") {
  LeaseWorld world;
  ProofTurn turn{world.client, "team", record, 1s};
  CHECK(turn.belong_to(Owner{"x", "u-1"}));
  CHECK(test::ObjectServer::text(world.server.objects.at(lease), "/metadata/ownerReferences/0/uid") == "u-1");
  world.server.objects.erase(lease);
  CHECK_FALSE(turn.belong_to(Owner{"x", "u-2"}));
}

TEST_CASE("a lease that another has taken over is left to it") {
  LeaseWorld world;
  {
    const ProofTurn turn{world.client, "team", record, 1s};
    hold(world, "other");
  }
  CHECK(world.server.objects.contains(lease));
}

TEST_CASE("pods of a proof are held against a ConfigMap: where it is not there, that is said at once") {
  LeaseWorld world;
  CHECK(kind_of([&] { setting(world, CapsuleVolume::download); }) == ErrorKind::not_found);
  CHECK_FALSE(setting(world, CapsuleVolume::image).owner);
  put_trust(world, trust_text());
  CHECK_FALSE(setting(world, CapsuleVolume::download).owner);
}

TEST_CASE("a ConfigMap that pods of a proof cannot be held against is named before there is a pod, with the way out") {
  for (const std::string text : {"rubbish: [", "version: 1\nproof: []\n", "version: 1\ncapsule: []\n", ""}) {
    LeaseWorld world;
    put_trust(world, text);
    CHECK(kind_of([&] { setting(world, CapsuleVolume::download); }) == ErrorKind::conflict);
    CHECK_NOTHROW(setting(world, CapsuleVolume::image));
    CHECK_THROWS_WITH(setting(world, CapsuleVolume::download),
                      Catch::Contains("capsule-loop-trust-x") && Catch::Contains("--force-conflicts puts it right"));
  }
}

TEST_CASE("pods of a proof are placed as those of the deployment are, and belong to its object") {
  LeaseWorld world;
  const auto wanted =
      json::parse(R"({"spec": {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": [{"name": "login"}]}})", "t");
  world.server.put(object, json::Object{{"metadata", json::Object{{"name", "x"}, {"uid", "u-1"}}},
                                        {"spec", json::Object{{"template", wanted}}}});
  const auto found = setting(world, CapsuleVolume::image);
  REQUIRE(found.owner);
  CHECK(found.owner->uid == "u-1");
  REQUIRE(found.passed_on);
  CHECK(*found.passed_on == wanted);
}
