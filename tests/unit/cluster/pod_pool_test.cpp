#include "cluster/pod_pool.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>

#include "cluster/agent_in_pod.hpp"
#include "cluster/names.hpp"
#include "crypto/hash.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;
using namespace std::chrono_literals;

namespace {

/// An apiserver with pods of one pool, and an agent in each.
struct PodServer final : http::Client {
  struct Pod {
    std::string run{};
    std::string phase = "Running";
    std::string ready = "True";
    std::string containers{};  ///< of its status
    std::string replica_set = "x-deploy-1";
    int posts = 0;
    int gets = 0;
  };
  std::map<std::string, Pod> pods{{"a", {}}, {"b", {}}};
  std::vector<std::string> removed;
  std::function<http::Response(PodServer&, const std::string& name)> on_post = [](PodServer&, const std::string&) {
    return answer(200, R"({"state":"running"})");
  };
  std::function<http::Response(PodServer&, const std::string& name)> on_get = on_post;

  static http::Response answer(int status, const std::string& body) {
    return {status, {{"Content-Type", "application/json"}}, body, Url::parse("https://a.example/")};
  }
  static http::Response refuse(int code) {
    return answer(code,
                  fmt::format(R"({{"kind":"Status","apiVersion":"v1","code":{},"details":{{"name":"x"}}}})", code));
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    const auto& pod = pods.at(name);
    return fmt::format(
        R"({{"metadata":{{"name":"{0}","uid":"u-{0}","resourceVersion":"1","annotations":{{"{1}":"{2}"}},)"
        R"("ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","controller":true,"name":"{6}","uid":"u-{6}"}}]}},)"
        R"("status":{{"phase":"{3}","conditions":[{{"type":"Ready","status":"{4}"}}],"containerStatuses":[{5}]}}}})",
        name, annotation::run, pod.run, pod.phase, pod.ready, pod.containers, pod.replica_set);
  }
  [[nodiscard]] std::string list() const {
    std::string items;
    for (const auto& [name, pod] : pods) items += (items.empty() ? "" : ",") + text(name);
    return fmt::format(R"({{"metadata":{{"resourceVersion":"7"}},"items":[{}]}})", items);
  }

  http::Response send(const http::Request& request) override {
    const auto url = request.url.text();
    if (url.find("watch=true") != std::string::npos) throw std::logic_error{"no pod is of use"};
    if (const auto set = url.find("/replicasets/"); set != std::string::npos) {
      const auto name = url.substr(set + std::string{"/replicasets/"}.size());
      return answer(200, fmt::format(R"({{"metadata":{{"uid":"u-{}","ownerReferences":[{{"apiVersion":"apps/v1",)"
                                     R"("kind":"Deployment","controller":true,"uid":"u-of-{}"}}]}}}})",
                                     name, name.substr(0, name.rfind('-'))));
    }
    const auto at = url.find("/pods/");
    if (at == std::string::npos) return answer(200, list());
    const auto name = url.substr(at + 6, 1);
    if (!pods.contains(name)) return refuse(404);
    if (url.find("/proxy/") != std::string::npos) {
      if (request.method == http::Method::post) return ++pods[name].posts, on_post(*this, name);
      if (++pods[name].gets > 100'000) throw std::logic_error{"it is asked for ever"};
      return on_get(*this, name);
    }
    if (request.method == http::Method::del) {
      removed.push_back(name);
      pods.erase(name);
      return answer(200, "{}");
    }
    if (request.method == http::Method::patch) {
      const auto patch = json::parse(request.body, "body");
      pods[name].run = *patch.at_pointer("/metadata/annotations")->if_object()->find(annotation::run)->if_string();
    }
    return answer(200, text(name));
  }
};

/// `limit` goes by the machine's own clock, which may stand still for a test: one that is to end otherwise gets an
/// hour.
struct PoolWorld {
  explicit PoolWorld(std::chrono::milliseconds wanted = 1h) : limit(wanted) {}
  std::chrono::milliseconds limit;
  PodServer server;
  test::FakeTime time;
  test::FakeCluster cluster;
  struct Forward final : http::Client {
    explicit Forward(PodServer& to) : next(to) {}
    http::Response send(const http::Request& request) override { return next.send(request); }
    PodServer& next;
  };
  kube::Client kube{cluster.config, {.timer = time.timer(), .make_http = [this](const http::CurlLimits&) {
                                       return std::make_unique<Forward>(server);
                                     }}};
  PodPool pods{kube,
               {.ns = "team",
                .name = "x",
                .pod_template = "t",
                .deployment = "u-of-x-deploy",
                .time_limit = limit,
                .grace = 0ms}};
  deploy::RunRequest request{
      .capsule_digest = crypto::sha256("capsule"), .target = "kubernetes:u", .parameters = json::Object{}};

  ErrorKind run() {
    return kind_of([&] { pods.run(request, [](const PodState&) {}); });
  }
};

}  // namespace

TEST_CASE("a run that goes on in a pod that cannot be reached now is not begun in another one") {
  PoolWorld pool;
  pool.server.on_get = [](PodServer&, const std::string&) { return PodServer::refuse(503); };
  CHECK(pool.run() == ErrorKind::unavailable);
  // The next try finds it by its annotation, and leaves it to the one after, too.
  pool.server.on_post = pool.server.on_get;
  CHECK(pool.run() == ErrorKind::unavailable);
  CHECK(pool.server.removed.empty());
  CHECK(pool.server.pods["a"].posts == 0);
  CHECK(pool.server.pods["b"].posts > 1);
  CHECK_FALSE(pool.pods.has_failed_run());
  pool.server.on_post = [](PodServer&, const std::string&) -> http::Response {
    throw Error{ErrorKind::timed_out, "too slow"};
  };
  CHECK(pool.run() == ErrorKind::timed_out);
  CHECK(pool.server.removed.empty());
}

TEST_CASE("a pod that took nothing, is gone or was evicted leads to another one") {
  const std::string failed_run = R"({"outcome":{}})";
  const auto last = [&](PodServer&, const std::string& name) {
    return name == "a" ? PodServer::answer(200, failed_run) : PodServer::answer(200, R"({"state":"running"})");
  };
  std::vector<std::string> removed{"b", "a"};
  PoolWorld pool;
  pool.server.on_post = last;
  SECTION("evicted") {
    pool.server.on_get = [](PodServer& server, const std::string& name) {
      server.pods[name].phase = "Failed";
      return PodServer::refuse(503);
    };
  }
  SECTION("evicted, and its connections with it") {
    pool.server.on_get = [](PodServer& server, const std::string& name) -> http::Response {
      server.pods[name].phase = "Failed";
      throw Error{ErrorKind::timed_out, "too slow"};
    };
  }
  SECTION("gone") {
    pool.server.on_get = [&](PodServer& server, const std::string& name) {
      server.pods.erase(name);
      return PodServer::refuse(404);
    };
    removed.erase(removed.begin());
  }
  SECTION("nobody listens") {
    pool.server.on_post = [&](PodServer& server, const std::string& name) {
      return name == "b" ? PodServer::refuse(503) : last(server, name);
    };
    pool.server.on_get = [](PodServer&, const std::string&) {
      return PodServer::answer(404, R"({"detail":"No such run"})");
    };
  }
  CHECK(pool.run() == ErrorKind::invalid_input);
  CHECK(pool.server.removed == removed);
  CHECK(pool.pods.has_failed_run());
}

TEST_CASE("a claim whose answer is lost is asked after before another pod is taken") {
  PoolWorld pool;
  pool.server.on_post = [](PodServer&, const std::string&) { return PodServer::refuse(503); };
  SECTION("it is begun") {
    pool.server.on_get = [](PodServer&, const std::string&) { return PodServer::answer(200, R"({"outcome":{}})"); };
    CHECK(pool.run() == ErrorKind::invalid_input);
    CHECK(pool.server.removed == std::vector<std::string>{"b"});
  }
  SECTION("nobody says") {
    pool.server.on_get = pool.server.on_post;
    CHECK(pool.run() == ErrorKind::unavailable);
    CHECK(pool.server.removed.empty());
    CHECK_FALSE(pool.pods.has_failed_run());
  }
  CHECK(pool.server.pods["a"].posts == 0);
}

TEST_CASE("of a run whose container ended, the pod's status says why") {
  PoolWorld pool;
  pool.server.on_post = [](PodServer& server, const std::string& name) {
    server.pods[name].ready = "False";
    server.pods[name].containers =
        R"({"name":"runner","state":{"running":{}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}})";
    return PodServer::answer(200, R"({"outcome":{"failure":{"kind":"capsule_failed","message":"started anew"}}})");
  };
  std::string message;
  try {
    pool.pods.run(pool.request, [](const PodState&) {});
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK(message.find("started anew (pod b: container runner was ended for want of memory") != std::string::npos);
}

TEST_CASE("an agent that says for ever that a run goes on is not waited for longer than limit and grace") {
  PoolWorld pool{1ms};
  CHECK(pool.run() == ErrorKind::timed_out);
  CHECK(pool.server.removed == std::vector<std::string>{"b"});
  CHECK(pool.pods.has_failed_run());
}

TEST_CASE("a pod with our labels of another controller, or of none, is no pod of the pool") {
  PoolWorld pool;
  pool.server.pods = {{"a", {.run = pool.request.run_id(), .replica_set = "others-1"}},
                      {"b", {.run = "0123456789abcdef", .replica_set = "x-2"}},
                      {"c", {}}};
  CHECK(pool.pods.wait_until_ready(pool.request.run_id()).name == "c");
  CHECK(pool.pods.waiting() == 1);
  CHECK(pool.server.removed.empty());
  const auto bare = json::parse(R"({"metadata":{"name":"a"}})", "pod");
  PoolMembers members{pool.kube, "team", {"x-deploy", "u-of-x-deploy"}};
  PoolMembers by_name{pool.kube, "team", {"x-deploy", ""}};
  CHECK_FALSE(by_name.has(bare));
  CHECK(by_name.has(json::parse(pool.server.text("c"), "pod")));
  CHECK_FALSE(members.has(bare));
  CHECK_FALSE(is_named_after(bare, "x-deploy"));
  CHECK(is_named_after(json::parse(pool.server.text("c"), "pod"), "x-deploy"));
  CHECK_FALSE(is_named_after(json::parse(pool.server.text("a"), "pod"), "x-deploy"));
}

TEST_CASE("a pod of a former pod template is none of the pool, whatever its labels, but one of a restart is") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  const auto set = [&](const std::string& uid, const std::string& spec) {
    cluster.answer(200, R"({"metadata":{"uid":")" + uid +
                            R"(","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","controller":true,
        "name":"x-deploy","uid":"u-d"}]},"spec":{"template":{"metadata":{"labels":{"app":"x","pod-template-hash":"1"}},
        "spec":)" + spec + "}}}");
  };
  const auto pod = [](const std::string& of) {
    return json::parse(R"({"metadata":{"name":"a","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",
        "controller":true,"name":"x-deploy-1","uid":")" +
                           of + R"("}]}})",
                       "pod");
  };
  const std::string now = R"({"spec":{"template":{"metadata":{"labels":{"app":"x"}},"spec":{"now":1}}}})";
  PoolMembers members{kube, "team", {"x-deploy", "u-d"}, *json::parse(now, "now").at_pointer("/spec/template")};
  set("u-1", R"({"now":1})");
  CHECK(members.has(pod("u-1")));
  CHECK(members.has(pod("u-1")));  // asked once
  set("u-2", R"({"now":0})");
  cluster.answer(200, now);
  CHECK_FALSE(members.has(pod("u-2")));
  set("u-3", R"({"now":2})");
  cluster.answer(200, R"({"spec":{"template":{"metadata":{"labels":{"app":"x"}},"spec":{"now":2}}}})");
  CHECK(members.has(pod("u-3")));
  CHECK(cluster.http.seen().size() == 5);
}

TEST_CASE("why a pod takes no run is said in its agent's words") {
  const auto why = [](const std::string& pool) { return why_not_ready("a", json::parse(pool, "pool")); };
  CHECK(why(R"({"phase":"installing","said":"no mirror"})") == "pod a: install.sh goes on: no mirror");
  CHECK(why(R"({"phase":"installing","said":null})") == "pod a: install.sh goes on: it has said nothing on stderr");
  CHECK(why(R"({"phase":"waiting","illness":"sick","cold":null})") == "pod a: sick");
  CHECK(why(R"({"phase":"waiting"})").empty());
}
