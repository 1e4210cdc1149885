#include "kube/lease.hpp"

#include <catch2/catch.hpp>

#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::kube;
using namespace std::chrono_literals;

namespace {

/// An apiserver that keeps one Lease.
struct LeaseServer final : http::Client {
  std::optional<json::Value> object;
  int version = 0;
  bool away = false;
  bool has_namespace = true;
  std::function<void()> before_write;  ///< what somebody else does just before the next write

  http::Response send(const http::Request& request) override {
    if (away) throw http::TransportError{ErrorKind::unavailable, "refused", http::TransportError::Sent::no};
    if (request.method == http::Method::get)
      return object ? answer(request, 200, json::compact(*object)) : refuse(request, 404, "NotFound");
    if (const auto work = std::exchange(before_write, {})) work();
    auto wanted = json::parse(request.body, "body");
    const auto* given = wanted.at_pointer("/metadata/resourceVersion");
    if (!has_namespace) return refuse(request, 404, "NotFound");
    if (request.method == http::Method::post && object) return refuse(request, 409, "AlreadyExists");
    if (request.method == http::Method::put) {
      if (!object) return refuse(request, 404, "NotFound");
      if (given == nullptr || *given->if_string() != std::to_string(version)) return refuse(request, 409, "Conflict");
    }
    touch(std::move(wanted));
    return answer(request, 200, json::compact(*object));
  }
  /// Puts `value` as a new version.
  void touch(json::Value value) {
    value.if_object()->find("metadata")->if_object()->set("resourceVersion", std::to_string(++version));
    object = std::move(value);
  }
  [[nodiscard]] std::string holder() const { return *object->at_pointer("/spec/holderIdentity")->if_string(); }

 private:
  static http::Response answer(const http::Request& request, int status, const std::string& body) {
    return {status, {{"Content-Type", "application/json"}}, body, request.url};
  }
  static http::Response refuse(const http::Request& request, int code, const std::string& reason) {
    return answer(request, code,
                  R"({"kind":"Status","apiVersion":"v1","reason":")" + reason + R"(","details":{"name":"x"}})");
  }
};

struct World {
  LeaseServer server;
  test::FakeTime time;
  test::FakeCluster cluster;

  struct Forward final : http::Client {
    explicit Forward(LeaseServer& to) : next(to) {}
    http::Response send(const http::Request& request) override { return next.send(request); }
    LeaseServer& next;
  };
  Client client = make();
  Lease mine{client, {resources::leases, "team", "capsule-x"}, "me"};
  Lease others{client, {resources::leases, "team", "capsule-x"}, "other"};

  Client make() {
    ConnectionOptions options;
    options.timer = time.timer();
    options.make_http = [this](const http::CurlLimits&) { return std::make_unique<Forward>(server); };
    return Client{cluster.config, options};
  }
};

}  // namespace

TEST_CASE("a lease has one holder, and each other one a higher number") {
  World world;
  REQUIRE(world.mine.try_acquire({{"digest", "sha256:1"}}));
  CHECK(world.mine.transitions() == 1);
  CHECK(world.mine.is_held());
  CHECK_FALSE(world.others.try_acquire());
  CHECK(world.others.record().holder == "me");
  CHECK(world.others.record().annotations.at("digest") == "sha256:1");
  world.mine.release();
  CHECK_FALSE(world.mine.is_held());
  CHECK(world.others.try_acquire());
  CHECK(world.others.transitions() == 2);
  CHECK(*world.server.object->at_pointer("/spec/leaseTransitions") == json::Value{2});
  // metav1.MicroTime takes six decimals and no others.
  const auto renewed = *world.server.object->at_pointer("/spec/renewTime")->if_string();
  CHECK(renewed.size() == std::string{"2026-01-02T15:04:05.000000Z"}.size());
}

TEST_CASE("a lease has run out when it was seen unchanged for its duration, whatever its times say") {
  World world;
  REQUIRE(world.mine.try_acquire());
  // Its holder's clock is years behind: that says nothing.
  auto object = *world.server.object;
  object.if_object()->find("spec")->if_object()->set("renewTime", "2001-01-01T00:00:00.000000Z");
  world.server.touch(std::move(object));
  CHECK_FALSE(world.others.try_acquire());
  world.time.now += 29s;
  CHECK_FALSE(world.others.try_acquire());
  world.time.now += 2s;
  CHECK(world.others.try_acquire());
}

TEST_CASE("a holder that renews keeps its lease, one that has died loses it") {
  World world;
  REQUIRE(world.mine.try_acquire());
  for (int i = 0; i < 12; ++i) {
    world.time.now += 8s;
    world.mine.keep();
    CHECK_FALSE(world.others.try_acquire());
  }
  CHECK(world.mine.is_held());
  CHECK_FALSE(world.others.acquire(10s));
  CHECK(world.others.acquire(60s));
  CHECK_FALSE(world.mine.is_held());  // by its own clock, without a question
  CHECK(kind_of([&] { world.mine.keep(); }) == ErrorKind::busy);
  CHECK(world.others.transitions() == 2);
  CHECK(world.server.holder() == "other");
  world.mine.release();  // what it has no longer it does not give back
  CHECK(world.server.holder() == "other");
}

TEST_CASE("a lease bears an apiserver that is away, but not longer than it lasts") {
  World world;
  REQUIRE(world.mine.try_acquire());
  world.server.away = true;
  world.time.now += 10s;
  world.mine.keep();
  CHECK(world.mine.is_held());
  world.server.away = false;
  world.mine.keep();
  world.server.away = true;
  world.time.now += 21s;
  CHECK(kind_of([&] { world.mine.keep(); }) == ErrorKind::busy);
  CHECK_FALSE(world.mine.is_held());
}

TEST_CASE("a lease that somebody touches is still ours, one that he removes is lost") {
  World world;
  REQUIRE(world.mine.try_acquire({{"digest", "sha256:1"}}));
  world.server.touch(*world.server.object);
  world.mine.renew();
  CHECK(world.mine.record().annotations.at("digest") == "sha256:1");
  world.server.touch(*world.server.object);
  world.mine.release();
  CHECK(world.server.holder().empty());
  REQUIRE(world.mine.try_acquire());
  CHECK(world.mine.transitions() == 2);
  world.server.object.reset();
  CHECK(kind_of([&] { world.mine.renew(); }) == ErrorKind::busy);
  CHECK_FALSE(world.mine.is_held());
}

TEST_CASE("who restarts under the same name has its lease again, with the same number") {
  World world;
  REQUIRE(world.mine.try_acquire());
  Lease again{world.client, {resources::leases, "team", "capsule-x"}, "me"};
  CHECK(again.try_acquire());
  CHECK(again.transitions() == 1);
}

TEST_CASE("who loses the race for a lease knows who has won it") {
  World world;
  world.server.before_write = [&] { REQUIRE(world.others.try_acquire({{"digest", "sha256:1"}})); };
  CHECK_FALSE(world.mine.try_acquire());
  CHECK(world.mine.record().holder == "other");
  world.others.release();
  world.server.before_write = [&] { REQUIRE(world.others.try_acquire({{"digest", "sha256:2"}})); };
  CHECK_FALSE(world.mine.try_acquire());
  CHECK(world.mine.record().annotations.at("digest") == "sha256:2");
}

TEST_CASE("a lease in a namespace that is not there is an error, and nobody's who was first") {
  World world;
  world.server.has_namespace = false;
  CHECK(kind_of([&] { world.mine.acquire(60s); }) == ErrorKind::not_found);
  CHECK(world.time.slept.empty());
}

TEST_CASE("a number of transitions that nothing can follow is begun anew") {
  World world;
  for (const std::int64_t number : {std::int64_t{2147483647}, std::int64_t{-1}}) {
    world.server.touch(json::Object{{"metadata", json::Object{}},
                                    {"spec", json::Object{{"holderIdentity", ""}, {"leaseTransitions", number}}}});
    CHECK(world.mine.try_acquire());
    CHECK(world.mine.transitions() == 1);
  }
}

TEST_CASE("a lease belongs to whom it was given, through all that is written, and to whom it belonged before") {
  World world;
  const auto owner = [&] {
    const auto* uid = world.server.object->at_pointer("/metadata/ownerReferences/0/uid");
    return uid == nullptr ? std::string{"nobody"} : *uid->if_string();
  };
  const auto of = [](const std::string& uid) { return json::Array{json::Object{{"uid", uid}}}; };
  REQUIRE(world.mine.try_acquire());
  CHECK(owner() == "nobody");
  REQUIRE(world.mine.set_owners(of("u-1")));
  CHECK(owner() == "u-1");
  const auto version = world.server.version;
  REQUIRE(world.mine.set_owners(of("u-1")));
  CHECK(world.server.version == version);  // nothing is written that stands there
  world.mine.renew();
  world.mine.release();
  CHECK(owner() == "u-1");
  REQUIRE(world.others.try_acquire());
  CHECK(owner() == "u-1");
  world.server.before_write = [&] { world.server.touch(*world.server.object); };
  REQUIRE(world.others.set_owners({}));
  CHECK(owner() == "nobody");
}

TEST_CASE("a lease that was removed with its former owner is lost, and no error") {
  World world;
  REQUIRE(world.mine.try_acquire());
  world.server.object.reset();
  CHECK_FALSE(world.mine.set_owners({json::Object{{"uid", "u-1"}}}));
  CHECK_FALSE(world.mine.is_held());
  CHECK(world.mine.try_acquire());
}

TEST_CASE("a lease is given back by another one of the same holder, and never another holder's") {
  World world;
  Lease same{world.client, {resources::leases, "team", "capsule-x"}, "me"};
  same.give_back();  // there is none
  REQUIRE(world.mine.try_acquire());
  REQUIRE(world.mine.set_owners({json::Object{{"uid", "u-1"}}}));
  Lease{world.client, {resources::leases, "team", "capsule-x"}, "third"}.give_back();
  CHECK(world.server.holder() == "me");
  // The holder itself renews it meanwhile.
  world.server.before_write = [&] { world.mine.renew(); };
  same.give_back();
  CHECK(world.server.holder().empty());
  CHECK(*world.server.object->at_pointer("/metadata/ownerReferences/0/uid")->if_string() == "u-1");
  CHECK(world.others.try_acquire());
  CHECK(world.others.transitions() == 2);
}
