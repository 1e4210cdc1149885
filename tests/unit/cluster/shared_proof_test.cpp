#include "cluster/shared_proof.hpp"

#include <catch2/catch.hpp>

#include "cluster/failed_try.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "deploy/deployment_status.hpp"
#include "support/error_kind.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using test::LeaseWorld;

namespace {

const Digest record = crypto::sha256("record");
const ProofInFlight asked{"https://proofs.example/", "UTID:1", ""};
const ProofInFlight given{"https://proofs.example/", "UTID:1", "proof_1"};
constexpr const char* path = "/apis/infra.industriverse.ai/v1/namespaces/team/proofeddeployments/x";

struct World : LeaseWorld {
  World() {
    server.put(path, json::Object{{"metadata", json::Object{{"name", "x"}, {"namespace", "team"}}}});
    // The object server keeps one document, whatever part of it is written.
    server.before = [this](const http::Request& request) {
      if (request.method == http::Method::put) server.objects[std::string{path} + "/status"] = server.objects.at(path);
    };
  }
  SharedProof shared() { return {client, "team", "x", record}; }
  /// What the last writer left, where the next one reads it.
  void settle() {
    const auto found = server.objects.find(std::string{path} + "/status");
    if (found != server.objects.end()) server.objects[path] = found->second;
  }
};

}  // namespace

TEST_CASE("a proof in flight is found again by whoever comes later, until it has ended") {
  World world;
  auto first = world.shared();
  CHECK_FALSE(first.read());
  first.write(asked);
  world.settle();
  CHECK(world.shared().read() == asked);
  first.write(given);
  world.settle();
  auto later = world.shared();
  CHECK(later.read() == given);
  later.end();
  world.settle();
  CHECK_FALSE(world.shared().read());
  CHECK(world.server.objects.at(path).at_pointer("/status/proofsInFlight") == nullptr);
}

TEST_CASE("a proof that is made takes back what the object says of one that failed") {
  World world;
  json::Object object = *world.server.objects.at(path).if_object();
  deploy::set_pending(object, "0123456789abcdef");
  deploy::set_ran(object, record, "warm");
  set_failed_proof(object, record, Error{ErrorKind::capsule_failed, "the hook has ended"}, now());
  REQUIRE(has_failed_proof(json::Value{object}, record));
  world.server.objects[path] = object;
  world.shared().end();
  world.settle();
  CHECK_FALSE(has_failed_proof(world.server.objects.at(path), record));
}

TEST_CASE("of two that begin a proof at once the first writer wins") {
  World world;
  auto first = world.shared();
  auto second = world.shared();
  CHECK_FALSE(first.read());
  CHECK_FALSE(second.read());
  first.write(asked);
  world.settle();
  CHECK(kind_of([&] { second.write({asked.service, "UTID:2", ""}); }) == ErrorKind::busy);
  CHECK(world.shared().read() == asked);
}

TEST_CASE("without an object nothing is kept, and nothing is wrong") {
  LeaseWorld world;
  SharedProof shared{world.client, "team", "x", record};
  CHECK_FALSE(shared.read());
  shared.write(asked);
  shared.end();
  CHECK(world.server.objects.empty());
}

TEST_CASE("proofs of other runs stay, the last sixteen of them; what is damaged is as if it were not") {
  json::Object object{{"metadata", json::Object{}}, {"status", json::Object{{"proofsInFlight", "damaged"}}}};
  CHECK_FALSE(proof_in_flight(json::Value{object}, record));
  for (int i = 0; i < 20; ++i) set_proof_in_flight(object, crypto::sha256(std::to_string(i)), asked);
  set_proof_in_flight(object, record, given);
  CHECK_FALSE(proof_in_flight(json::Value{object}, crypto::sha256("4")));
  CHECK(proof_in_flight(json::Value{object}, crypto::sha256("5")) == asked);
  CHECK(proof_in_flight(json::Value{object}, record) == given);
  end_proof_in_flight(object, record);
  CHECK_FALSE(proof_in_flight(json::Value{object}, record));
  CHECK(proof_in_flight(json::Value{object}, crypto::sha256("19")) == asked);
}
