#include "cluster/turn.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;
using http::Method;
using test::LeaseWorld;

namespace {

const Digest digest = crypto::sha256("one");
const Digest other = crypto::sha256("other");

/// What a turn that is not to be had says.
std::string refusal(LeaseWorld& world, const std::optional<Digest>& capsule, std::chrono::milliseconds patience) {
  try {
    const Turn turn{world.client, "team", "x", capsule, patience};
    return "taken";
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::busy);
    return error.message();
  }
}

}  // namespace

TEST_CASE("who loses the race for a new lease waits for the winner as for any other deploy") {
  LeaseWorld world;
  world.server.before = [&](const http::Request& request) {
    if (request.method == Method::post) world.hold("winner", digest.text());
  };
  CHECK(refusal(world, digest, 5s) == "x in namespace team is being deployed by winner (" + digest.text() + ")");
  CHECK(world.passed() <= 6s);
}

TEST_CASE("of two who wait for the same capsule each has its turn") {
  LeaseWorld world;
  world.hold("first", digest.text());
  bool lost = false;
  world.server.before = [&](const http::Request& request) {
    if (request.method == Method::put && !std::exchange(lost, true)) world.hold("second", digest.text());
    if (world.passed() >= 4s && world.holder() == "first") world.hold("");
    if (world.passed() >= 20s && world.holder() == "second") world.hold("");
  };
  CHECK(refusal(world, digest, 60s) == "taken");
  CHECK(lost);
  CHECK(world.passed() >= 20s);
  CHECK(world.holder().empty());
}

TEST_CASE("a deploy of another capsule is not waited for once it renews its lease; a killed one is taken over") {
  LeaseWorld world;
  world.hold("second", other.text());
  world.server.before = [&](const http::Request&) {
    if (world.passed() == 10s) world.hold("second", other.text());
  };
  CHECK(refusal(world, digest, 600s) == "x in namespace team is being deployed by second (" + other.text() + ")");
  CHECK(world.passed() <= 12s);
  world.server.before = {};
  CHECK(refusal(world, digest, 1s) == "taken");
}

TEST_CASE("without a capsule whoever is at work is waited for, and not longer than that") {
  LeaseWorld world;
  world.hold("deploy", other.text());
  world.server.before = [&](const http::Request&) {
    if (world.holder() == "deploy") world.hold(world.passed() < 60s ? "deploy" : "", other.text());
  };
  CHECK(refusal(world, std::nullopt, 20s) == "x in namespace team is being deployed by deploy (" + other.text() + ")");
  CHECK(world.passed() >= 20s);
  CHECK(world.passed() <= 22s);
  CHECK(refusal(world, std::nullopt, 120s) == "taken");
  CHECK(world.passed() >= 60s);
}

TEST_CASE("who deploys while it is being removed waits for that, and not longer than he wants to") {
  LeaseWorld world;
  world.hold("remover");
  world.server.before = [&](const http::Request&) {
    if (world.holder() == "remover") world.hold(world.passed() < 40s ? "remover" : "");
  };
  CHECK(refusal(world, digest, 20s) == "x in namespace team is being removed by remover");
  CHECK(world.passed() >= 20s);
  CHECK(refusal(world, digest, 60s) == "taken");
  CHECK(world.passed() >= 40s);
}

TEST_CASE("a lease goes with the object, and is nobody's while the object is removed") {
  LeaseWorld world;
  const auto owner = [&] {
    return test::ObjectServer::text(world.server.objects.at(LeaseWorld::lease), "/metadata/ownerReferences/0/uid");
  };
  {
    Turn turn{world.client, "team", "x", digest, 1s};
    REQUIRE(turn.belong_to(Owner{"x", "u-1"}));
    CHECK(owner() == "u-1");
  }
  CHECK(owner() == "u-1");
  {
    const auto before = world.server.seen.size();
    Turn turn{world.client, "team", "x", digest, 1s};
    REQUIRE(turn.belong_to(Owner{"x", "u-1"}));
    CHECK(world.server.seen.size() == before + 2);  // no call more for it
  }
  const Turn removal{world.client, "team", "x", std::nullopt, 1s};
  CHECK(owner().empty());
}

TEST_CASE("a turn whose lease went with the object before is over") {
  LeaseWorld world;
  Turn turn{world.client, "team", "x", digest, 1s};
  REQUIRE(turn.belong_to(Owner{"x", "u-1"}));
  world.server.objects.clear();
  CHECK_FALSE(turn.belong_to(std::nullopt));
}
