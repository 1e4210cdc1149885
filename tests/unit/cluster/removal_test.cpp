#include "cluster/removal.hpp"

#include <catch2/catch.hpp>

#include "support/error_kind.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;
using http::Method;
using test::LeaseWorld;
using test::ObjectServer;

namespace {

const std::string object = "/apis/infra.industriverse.ai/v1/namespaces/team/proofeddeployments/x";

void put(LeaseWorld& world, json::Object metadata) {
  metadata.set("name", "x");
  metadata.set("uid", "u-1");
  world.server.put(object, json::Object{{"metadata", std::move(metadata)}});
}

void put_ours(LeaseWorld& world) {
  put(world, {{"labels", json::Object{{"app.kubernetes.io/part-of", "capsule-loop"}}}});
}

void remove(LeaseWorld& world) {
  remove_deployment(world.client, "team", "x", 60s);
}

bool is_of_lease(const http::Request& request, Method method) {
  return request.method == method && ObjectServer::path_of(request) == LeaseWorld::lease;
}

}  // namespace

TEST_CASE("a removal takes the object that it saw, and the lease") {
  LeaseWorld world;
  put_ours(world);
  remove(world);
  CHECK(world.server.objects.empty());
  for (const auto& request : world.server.seen) {
    if (request.method == Method::del && ObjectServer::path_of(request) == object)
      CHECK(ObjectServer::text(json::parse(request.body, ""), "/preconditions/uid") == "u-1");
  }
  put(world, {{"annotations", json::Object{{"capsule.industriverse.ai/runs", "{}"}}}});
  remove(world);
  CHECK(world.server.objects.empty());
  remove(world);  // nothing there is fine
  CHECK(world.server.objects.empty());
}

TEST_CASE("an object that somebody else made under our name stays") {
  LeaseWorld world;
  put(world, {{"labels", json::Object{{"app.kubernetes.io/part-of", "another"}}}});
  CHECK(kind_of([&] { remove(world); }) == ErrorKind::conflict);
  CHECK(world.server.objects.size() == 1);  // and no lease was made
  // One that comes in the place of ours is spared by its uid.
  put_ours(world);
  world.server.before = [&](const http::Request& request) {
    if (request.method != Method::del || ObjectServer::path_of(request) != object) return;
    world.server.objects.at(object).if_object()->find("metadata")->if_object()->set("uid", "u-2");
  };
  CHECK(kind_of([&] { remove(world); }) == ErrorKind::conflict);
  CHECK(world.server.objects.contains(object));
}

TEST_CASE("a removal leaves the lease to a deploy that has waited for it") {
  LeaseWorld world;
  SECTION("which took it before it is looked at") {
    world.server.before = [&](const http::Request& request) {
      if (is_of_lease(request, Method::get) && world.holder().empty()) world.hold("next", "sha256:1");
    };
  }
  SECTION("which takes it just before it is removed") {
    world.server.before = [&](const http::Request& request) {
      if (is_of_lease(request, Method::del)) world.hold("next", "sha256:1");
    };
  }
  remove(world);
  CHECK(world.holder() == "next");
}

TEST_CASE("a removal takes what an object left that was deleted without what it owned, and nobody else's") {
  LeaseWorld world;
  const std::string left = "/apis/apps/v1/namespaces/team/deployments/x-deploy";
  const std::string others = "/api/v1/namespaces/team/configmaps/capsule-loop-trust-x";
  const json::Object ours{{"app.kubernetes.io/part-of", "capsule-loop"}};
  world.server.put(left, json::Object{{"metadata", json::Object{{"uid", "u-1"}, {"labels", ours}}}});
  world.server.put(others, json::Object{{"metadata", json::Object{{"uid", "u-2"}}}});
  remove(world);
  CHECK_FALSE(world.server.objects.contains(left));
  CHECK(world.server.objects.contains(others));
}
