#include "cluster/ownership.hpp"

#include <catch2/catch.hpp>

#include "support/error_kind.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;
using test::LeaseWorld;

namespace {

const kube::Name name{kube::resources::config_maps, "team", "m"};
const std::string path = "/api/v1/namespaces/team/configmaps/m";

json::Value object(json::Object metadata) {
  return json::Object{{"metadata", std::move(metadata)}};
}

json::Value owned_by(const std::string& owner, const std::string& uid) {
  return object(
      {{"ownerReferences", json::Array{json::Object{{"kind", "ProofedDeployment"}, {"name", owner}, {"uid", uid}}}}});
}

}  // namespace

TEST_CASE("what has our label or a ProofedDeployment as its owner is ours, and nothing else") {
  const auto labelled = object({{"labels", json::Object{{"app.kubernetes.io/part-of", "capsule-loop"}}}});
  CHECK(is_ours(labelled));
  CHECK(is_orphan(labelled));
  CHECK(is_ours(owned_by("x", "u")));
  CHECK_FALSE(is_orphan(owned_by("x", "u")));
  const auto other = object({{"labels", json::Object{{"app.kubernetes.io/part-of", "another"}}}});
  CHECK_FALSE(is_ours(other));
  require_ours(name, std::nullopt);
  require_ours(name, labelled);
  CHECK(kind_of([&] { require_ours(name, other); }) == ErrorKind::conflict);
}

TEST_CASE("what the garbage collector is about to take is waited for, and no longer than that") {
  LeaseWorld world;
  int kept = 0;
  const auto find = [&] { return find_settled(world.client, name, "x", "u-2", {10s, [&] { ++kept; }}); };
  CHECK_FALSE(find());
  world.server.put(path, owned_by("x", "u-2"));
  CHECK(find());
  world.server.put(path, owned_by("y", "u-1"));
  CHECK(find());
  CHECK(world.passed() == 0s);
  SECTION("since its owner is gone") {
    world.server.put(path, owned_by("x", "u-1"));
  }
  SECTION("since it is being removed") {
    world.server.put(path, object({{"deletionTimestamp", "now"}}));
  }
  CHECK(kind_of([&] { find(); }) == ErrorKind::timed_out);
  CHECK(world.passed() == 10s);
  CHECK(kept == 10);
  world.server.before = [&](const http::Request&) {
    if (world.passed() >= 15s) world.server.objects.clear();
  };
  CHECK_FALSE(find());
  CHECK(world.passed() == 15s);
}
