#include "kube/client.hpp"

#include <catch2/catch.hpp>

#include "core/query.hpp"
#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::kube;
using test::FakeCluster;

namespace {

const Name pod{resources::pods, "team", "x"};
const Name deployment{resources::deployments, "team", "x"};

}  // namespace

TEST_CASE("what a call asks for stands in its path, query, type and headers") {
  FakeCluster cluster;
  cluster.config.impersonation = {{"Impersonate-User", "jane"}};
  auto client = cluster.client();
  for (int i = 0; i < 5; ++i) cluster.answer(200, "{}");
  client.get(pod);
  client.apply(deployment, json::Object{}, {.subresource = "status", .strict = true, .force = true});
  client.patch(deployment, PatchKind::merge, json::Object{}, {.dry_run = true});
  client.patch(deployment, PatchKind::operations, json::Array{});
  client.create({resources::pods, "team", {}}, json::Object{});
  CHECK(cluster.asked(0) == "https://a.example/base/api/v1/namespaces/team/pods/x");
  CHECK(cluster.asked(1) ==
        "https://a.example/base/apis/apps/v1/namespaces/team/deployments/x/status?"
        "fieldManager=capsule-loop&fieldValidation=Strict&force=true");
  CHECK(cluster.asked(2) ==
        "https://a.example/base/apis/apps/v1/namespaces/team/deployments/x?"
        "fieldManager=capsule-loop&dryRun=All");
  CHECK(cluster.asked(4) == "https://a.example/base/api/v1/namespaces/team/pods?fieldManager=capsule-loop");
  const auto& seen = cluster.http.seen();
  CHECK(*seen.at(1).headers.find("Content-Type") == "application/apply-patch+yaml");
  CHECK(*seen.at(2).headers.find("Content-Type") == "application/merge-patch+json");
  CHECK(*seen.at(3).headers.find("Content-Type") == "application/json-patch+json");
  CHECK(*seen.at(0).headers.find("Impersonate-User") == "jane");
  CHECK(seen.at(0).credentials->value.reveal() == "Bearer first");
  CHECK(seen.at(1).idempotent);
  CHECK_FALSE(seen.at(3).idempotent);
  CHECK_FALSE(seen.at(4).idempotent);
  CHECK(client.requests() == 5);
}

TEST_CASE("a name that a path gives another meaning is refused") {
  for (const auto* name : {"", "..", "a/b", "a?b", "a%2fb", "a b"})
    CHECK(kind_of([&] { path_of(Name{resources::pods, "team", name}); }) == ErrorKind::usage);
  CHECK(kind_of([&] { path_of(resources::pods, "a/b"); }) == ErrorKind::usage);
  CHECK(path_of(Name{{"rbac.authorization.k8s.io", "v1", "clusterroles"}, {}, "system:node"}) ==
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node");
  CHECK(query_encoded("a=b,c!=d e") == "a%3Db%2Cc%21%3Dd%20e");
}

TEST_CASE("a list is read page by page") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.answer(200, R"({"metadata":{"resourceVersion":"7","continue":"t/o"},"items":[{"a":1},{"a":2}]})");
  cluster.answer(200, R"({"metadata":{"resourceVersion":"7"},"items":[{"a":3}]})");
  cluster.answer(200, R"({"metadata":{"resourceVersion":"9"},"items":null})");
  const auto list = client.list(resources::pods, "team", {.labels = "app=x"});
  CHECK(list.items.size() == 3);
  CHECK(list.resource_version == "7");
  CHECK(cluster.asked(1).find("limit=500&continue=t%2Fo&labelSelector=app%3Dx") != std::string::npos);
  CHECK(client.list(resources::pods, "team").items.empty());
}

TEST_CASE("what the apiserver refuses is an error of its kind, with its words") {
  const std::vector<std::tuple<int, std::string, ErrorKind>> cases{
      {400, "BadRequest", ErrorKind::invalid_input}, {403, "Forbidden", ErrorKind::denied},
      {404, "NotFound", ErrorKind::not_found},       {409, "AlreadyExists", ErrorKind::conflict},
      {410, "Expired", ErrorKind::not_found},        {415, "UnsupportedMediaType", ErrorKind::invalid_input},
      {422, "Invalid", ErrorKind::invalid_input},    {501, "", ErrorKind::invalid_input}};
  for (const auto& [code, reason, kind] : cases) {
    CAPTURE(code);
    FakeCluster cluster;
    auto client = cluster.client();
    cluster.fail(code, reason, "its own words");
    try {
      client.get(deployment);
      FAIL("an error is wanted");
    } catch (const ApiError& error) {
      CHECK(error.kind() == kind);
      CHECK(error.status().reason == reason);
      CHECK_THAT(error.message(), Catch::Contains("cannot get deployments.apps 'x' in namespace 'team'") &&
                                      Catch::Contains("its own words"));
    }
  }
}

TEST_CASE("who may not is told the verb, the resource and the account") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.fail(403, "Forbidden", "no");
  try {
    client.proxy(pod, 8700, {.method = http::Method::post, .path = "/v1/runs"});
    FAIL("an error is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(error.message() ==
          "cannot create pods/proxy 'x' in namespace 'team' as user 'red' of context 'one': "
          "403 Forbidden: no");
  }
}

TEST_CASE("an object that is not there is nothing, a kind that is not served is an error") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.fail(404, "NotFound", "pods x not found");
  CHECK_FALSE(client.find(pod));
  cluster.fail(404, "NotFound", "pods x not found");
  CHECK_FALSE(client.remove(pod));
  cluster.fail(404, "NotFound", "the server could not find the requested resource", "");
  CHECK(kind_of([&] { client.find(pod); }) == ErrorKind::not_found);
  cluster.http.answer(404, "404 page not found\n", {{"Content-Type", "text/plain"}});
  CHECK(kind_of([&] { client.remove(pod); }) == ErrorKind::not_found);
}

TEST_CASE("an applied field that the schema lacks is no fault that passes by itself") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.fail(500, "",
               "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .dta: field not declared in schema");
  CHECK(kind_of([&] { client.apply(deployment, json::Object{}); }) == ErrorKind::invalid_input);
  CHECK(client.requests() == 1);
}

TEST_CASE("a busy apiserver is asked again, with its Retry-After, and not for ever") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.answer(429, "{}", {{"Retry-After", "3"}});
  cluster.answer(500, "{}");
  cluster.answer(200, "{}");
  client.get(pod);
  CHECK(cluster.time.slept.at(0) == std::chrono::seconds{3});
  CHECK(client.requests() == 3);
  cluster.answer(429, R"({})", {{"Retry-After", "600"}});
  CHECK(kind_of([&] { client.get(pod); }) == ErrorKind::unavailable);
  const auto began = cluster.time.now;
  for (int i = 0; i < 50; ++i) cluster.answer(503, "{}");
  CHECK(kind_of([&] { client.get(pod); }) == ErrorKind::unavailable);
  CHECK(cluster.time.now - began > std::chrono::seconds{24});
  CHECK(cluster.time.now - began <= std::chrono::seconds{30});
}

TEST_CASE("what may have been done is sent again where that is harmless, and not where it is not") {
  const http::TransportError cut{ErrorKind::unavailable, "cut", http::TransportError::Sent::maybe};
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.http.fail(cut);
  cluster.answer(200, "{}");
  client.apply(deployment, json::Object{});
  cluster.http.fail(cut);
  CHECK(kind_of([&] { client.create(deployment, json::Object{}); }) == ErrorKind::unavailable);
  cluster.http.fail(cut);
  CHECK(kind_of([&] { client.patch(deployment, PatchKind::operations, json::Array{}); }) == ErrorKind::unavailable);
  cluster.http.fail(cut);
  cluster.answer(200, "{}");
  client.create(deployment, json::Object{}, {.dry_run = true});
  CHECK(cluster.http.done());
}

TEST_CASE("after a 401 new credentials are tried once, the same ones never") {
  FakeCluster cluster;
  cluster.credentials->tokens.push_back({Secret{"second"}, "certificate", Secret{"key"}});
  auto client = cluster.client();
  cluster.fail(401, "Unauthorized", "Unauthorized");
  cluster.answer(200, "{}");
  client.get(pod);
  CHECK(cluster.http.seen().at(1).credentials->value.reveal() == "Bearer second");
  REQUIRE(cluster.made.size() == 2);  // another certificate needs another connection
  CHECK(cluster.made.at(1).client_certificate->certificate == "certificate");
  cluster.fail(401, "Unauthorized", "Unauthorized");
  CHECK(kind_of([&] { client.get(pod); }) == ErrorKind::denied);
  CHECK(cluster.http.done());
}

TEST_CASE("who waits with a call may make calls himself, also with a certificate that has rotated") {
  FakeCluster cluster;
  cluster.credentials->tokens.push_back({Secret{"first"}, "certificate", Secret{"key"}});
  auto client = cluster.client();
  const auto list = [&] {
    cluster.http.answer_with([](const http::Request& request) -> http::Response {
      request.on_wait();
      request.on_wait();
      return {200, {{"Content-Type", "application/json"}}, R"({"metadata":{"resourceVersion":"7"}})", request.url};
    });
    cluster.answer(200, "{}");
    cluster.answer(200, "{}");
    client.list(resources::pods, "team", {}, [&] { client.get(pod); });
    CHECK(cluster.http.done());
  };
  list();
  CHECK(cluster.made.size() == 2);  // one for the list, one for both that are made meanwhile
  list();
  CHECK(cluster.made.size() == 3);
  cluster.http.answer_with([&](const http::Request& request) -> http::Response {
    cluster.credentials->renewed = true;
    request.on_wait();
    return {200, {{"Content-Type", "application/json"}}, R"({"metadata":{"resourceVersion":"7"}})", request.url};
  });
  cluster.answer(200, "{}");
  client.list(resources::pods, "team", {}, [&] { client.get(pod); });
  CHECK(cluster.made.back().client_certificate);
  CHECK(cluster.misused == 0);
}

TEST_CASE("a removal has its preconditions and says what becomes of what it owns") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.answer(200, "{}");
  CHECK(client.remove(
      pod,
      {.uid = "u", .resource_version = "7", .propagation = Propagation::foreground, .grace = std::chrono::seconds{0}}));
  CHECK(json::parse(cluster.http.seen().at(0).body, "") ==
        json::parse(R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground",
                        "preconditions":{"uid":"u","resourceVersion":"7"},"gracePeriodSeconds":0})",
                    ""));
}

TEST_CASE("a pod's own answer is given back, what the apiserver says of it is an error") {
  FakeCluster cluster;
  auto client = cluster.client();
  cluster.answer(409, R"({"error":"claimed"})");
  const auto answer = client.proxy(pod, 8700, {.path = "/v1/runs/1?wait=5"});
  CHECK(answer.status == 409);
  CHECK(answer.body == R"({"error":"claimed"})");
  CHECK(cluster.asked(0) == "https://a.example/base/api/v1/namespaces/team/pods/x:8700/proxy/v1/runs/1?wait=5");
  cluster.fail(404, "NotFound", "pods x not found");
  CHECK(kind_of([&] { client.proxy(pod, 8700, {}); }) == ErrorKind::not_found);
}

TEST_CASE("a pod that says no for good is not asked again, what may pass is") {
  FakeCluster cluster;
  auto client = cluster.client();
  for (const int status : {503, 429}) {
    cluster.answer(status, R"({"error":"No process waits"})");
    CHECK(client.proxy(pod, 8700, {}).status == status);
  }
  CHECK(cluster.time.slept.empty());
  cluster.answer(503, R"({"error":"Too many connections"})", {{"Retry-After", "1"}});
  cluster.fail(503, "ServiceUnavailable", "error trying to reach service");
  cluster.http.answer(503, "<html>", {{"Content-Type", "text/html"}});
  cluster.answer(200, "{}");
  CHECK(client.proxy(pod, 8700, {}).status == 200);
  CHECK(cluster.http.done());
}

TEST_CASE("whether a kind is served, and whether we may") {
  FakeCluster cluster;
  auto client = cluster.client();
  const Resource kind{"capsule.industriverse.ai", "v1", "proofeddeployments"};
  cluster.answer(200, R"({"resources":[{"name":"proofeddeployments"},{"name":"proofeddeployments/status"}]})");
  CHECK(client.serves(kind, "status"));
  cluster.answer(200, R"({"resources":[{"name":"proofeddeployments"}]})");
  CHECK_FALSE(client.serves(kind, "status"));
  cluster.answer(404, "404 page not found");
  CHECK_FALSE(client.serves(kind));
  cluster.answer(201, R"({"status":{"allowed":true}})");
  CHECK(client.can_i({.verb = "create", .resource = resources::pods, .subresource = "proxy", .ns = "team"}));
  CHECK(*json::parse(cluster.http.seen().back().body, "").at_pointer("/spec/resourceAttributes") ==
        json::parse(R"({"verb":"create","group":"","version":"v1","resource":"pods","subresource":"proxy",
                        "namespace":"team"})",
                    ""));
  cluster.answer(201, R"({"status":{"allowed":false,"reason":"no"}})");
  CHECK_FALSE(client.can_i({.verb = "list", .resource = resources::nodes}));
}
