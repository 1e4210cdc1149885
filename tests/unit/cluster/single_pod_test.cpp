#include "cluster/single_pod.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "json/parse.hpp"
#include "support/error_kind.hpp"
#include "unit/cluster/object_server.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;
using http::Method;

namespace {

/// A namespace whose quota has room for one pod.
struct Full final : http::Client {
  test::ObjectServer server;
  int refused = 0;
  std::atomic<int> refusals = 1'000'000;  ///< so many at most
  int lives_on = 0;                       ///< how often the pod that is there is still found

  http::Response send(const http::Request& request) override {
    const auto path = test::ObjectServer::path_of(request);
    if (request.method == Method::post && ++refused <= refusals) {
      const std::string why = R"(pods \"new\" is forbidden: exceeded quota: q, requested: pods=1)";
      return {403,
              {{"Content-Type", "application/json"}},
              R"({"kind":"Status","apiVersion":"v1","reason":"Forbidden","message":")" + why + R"("})",
              request.url};
    }
    if (request.method == Method::get && path.ends_with("/old") && lives_on-- <= 0) server.objects.erase(path);
    return server.send(request);
  }
};

struct World {
  Full full;
  test::FakeCluster cluster;
  struct Forward final : http::Client {
    explicit Forward(Full& to) : next(to) {}
    http::Response send(const http::Request& request) override { return next.send(request); }
    Full& next;
  };
  kube::Client client{cluster.config,
                      {.make_http = [this](const http::CurlLimits&) { return std::make_unique<Forward>(full); }}};
  std::mutex making;

  ErrorKind kind(std::chrono::milliseconds patience, const std::vector<std::string>& before = {}) {
    const json::Object pod{{"metadata", json::Object{{"name", "new"}}}};
    return kind_of([&] {
      SinglePod{client, {"team", pod, 60s, patience, before}, making};
      throw Error{ErrorKind::conflict, "it is made"};
    });
  }
};

}  // namespace

TEST_CASE("a quota that is used up is waited for, and no longer than that") {
  World world;
  world.full.refusals = 3;
  CHECK(world.kind(10s) == ErrorKind::conflict);
  World full;
  CHECK(full.kind(300ms) == ErrorKind::unavailable);
  CHECK(full.full.refused >= 2);
}

TEST_CASE("patience with a quota begins when no pod of ours takes its room any more") {
  World world;
  world.full.server.put("/api/v1/namespaces/team/pods/old", json::Object{{"metadata", json::Object{}}});
  world.full.lives_on = 40;
  world.full.refusals = 39;
  CHECK(world.kind(10ms, {"old"}) == ErrorKind::conflict);
}

TEST_CASE("a pod may be waited for while others are made or ended") {
  World world;
  std::thread other{[&] {
    std::this_thread::sleep_for(100ms);
    const std::lock_guard lock{world.making};
    world.full.refusals = 0;
  }};
  CHECK(world.kind(10s) == ErrorKind::conflict);
  other.join();
}
