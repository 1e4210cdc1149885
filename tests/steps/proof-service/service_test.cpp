#include "service.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

using namespace capsule;
using namespace proof_service;

namespace {

/// A proof of x·x ≤ 4 on [0, 2] and of one number, and one with a certificate that says too little.
constexpr const char* good_evidence = R"([{"type":"mathematical_proof","variables":{"x":{"min":0,"max":2,"unit":"1"}},
  "definitions":{"f":{"mul":["x","x"]}},
  "claims":[{"name":"reported","type":"compare","left":1.5,"relation":"<=","right":2},
            {"name":"bounded","type":"forall","left":"f","relation":"<=","right":4}],
  "certificates":[{"claim":"bounded","type":"bisection","tree":"a.."}]}])";

/// The temporary folder itself is locked, and a store locks the folder that it is in.
fs::Path inside(const fs::TemporaryFolder& folder) {
  auto place = folder.path() / "inside";
  std::filesystem::create_directory(place);
  return place;
}

struct Fixture {
  Fixture() : store(inside(folder) / "p.db"), service(store, secrets(), Secret{}) {
    utid = make_utid(secrets(), fresh_utid({}));
  }
  static UtidSecrets secrets() { return {Secret{"s"}, Secret{"a"}, "0123456789ab"}; }

  serve::Response ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    const auto parsed = serve::parse_target(target);
    REQUIRE(parsed);
    serve::Request request{method, *parsed, {}, body, "127.0.0.1"};
    if (!utid.empty()) request.headers.emplace_back("x-utid", utid);
    if (!key.empty()) request.headers.emplace_back("x-api-key", key);
    return service.answer(request);
  }
  json::Value good(const std::string& method, const std::string& target, const std::string& body = {}) {
    const auto response = ask(method, target, body);
    CAPTURE(target, body, response.body);
    REQUIRE(response.status == 200);
    return json::parse(response.body, "reply", {std::size_t{64} << 20U, 200});
  }
  std::string text(const json::Value& value, const std::string& pointer) {
    const auto* found = value.at_pointer(pointer);
    REQUIRE(found != nullptr);
    return found->if_string() != nullptr ? *found->if_string() : json::compact(*found);
  }
  std::string make(const std::string& hash, const std::string& types = R"(["mathematical_proof"])") {
    return text(
        good("POST", "/v1/proofs/generate",
             R"({"title":"t","requester":{"name":"r"},"artifacts":[{"type":"capsule","uri":"u","hash":"sha256:1"}],
                         "proof_types":)" +
                 types + R"(,"proof_hash":")" + hash + R"("})"),
        "/proof_id");
  }

  fs::TemporaryFolder folder{fs::temporary_parent()};
  Store store;
  Service service;
  std::string utid;
  std::string key;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a proof is asked for, found, and only verified when its evidence holds") {
  const auto made = good("POST", "/v1/proofs/generate",
                         R"({"title":"t","requester":{"n":"r"},"artifacts":[],"proof_types":["mathematical_proof"],
                             "anchor":{"utid":"U","domain":"d"},"proof_hash":"sha256:h","metadata":{"k":[1]},"more":1})");
  CHECK(text(made, "/status") == "queued");
  CHECK(text(made, "/utid") == "U");
  CHECK(text(made, "/proof_hash") == "sha256:h");
  const auto id = text(made, "/proof_id");
  CHECK(id.size() == 14);

  CHECK(text(good("GET", "/v1/proofs/" + id), "/hash") == "sha256:h");
  const auto nothing = good("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:h","verifier":"v"})");
  CHECK(text(nothing, "/valid") == "false");
  CHECK(text(nothing, "/status") == "processing");
  CHECK(text(good("POST", "/v1/proofs/" + id + "/status", R"({"status":"validated"})"), "/status") == "processing");

  const auto given = good("POST", "/v1/proofs/" + id + "/status",
                          std::string{R"({"status":"processing","evidence":)"} + good_evidence + "}");
  CHECK(text(given, "/status") == "processing");
  CHECK(text(given, "/proof_score") == "1");
  const auto verified = good("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:h","verifier":"v"})");
  CHECK(text(verified, "/valid") == "true");
  CHECK(text(verified, "/status") == "verified");
  CHECK(text(verified, "/proof_hash") == "sha256:h");
  CHECK(text(verified, "/verifier") == "v");
  CHECK(text(good("POST", "/v1/proofs/" + id + "/status", R"({"status":"validated"})"), "/status") == "validated");
  // Once more with the first hash: it was not replaced.
  CHECK(text(good("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:h","verifier":"w"})"), "/valid") == "true");
  const auto shown = good("GET", "/v1/proofs/" + id);
  CHECK(text(shown, "/status") == "validated");
  CHECK(text(shown, "/domain") == "d");
  CHECK(json::canonical(*shown.at_pointer("/evidence")) == json::canonical(json::parse(good_evidence, "e")));
}

TEST_CASE_METHOD(Fixture, "evidence that does not hold is never valid, whatever is claimed") {
  const std::string good_text{good_evidence};
  const auto replaced = [&](const std::string& what, const std::string& by) {
    auto copy = good_text;
    REQUIRE(copy.find(what) != std::string::npos);
    return copy.replace(copy.find(what), what.size(), by);
  };
  const std::vector<std::string> forged{replaced("\"right\":2", "\"right\":1"),
                                        replaced("\"right\":4", "\"right\":3.9"),
                                        replaced("a..", "a."),
                                        replaced("a..", "b.."),
                                        replaced("a..", "a..."),
                                        replaced("\"max\":2", "\"max\":3"),
                                        replaced("mathematical_proof", "because"),
                                        replaced("\"bounded\",\"type\"", "\"other\",\"type\""),
                                        R"([{"type":"mathematical_proof","variables":{},"definitions":{},)"
                                        R"("claims":[],"certificates":[]}])",
                                        "[{}]",
                                        "[]"};
  int count = 0;
  for (const auto& evidence : forged) {
    CAPTURE(evidence);
    const auto hash = "sha256:" + std::to_string(++count);
    const auto id = make(hash);
    const auto given = good("POST", "/v1/proofs/" + id + "/status",
                            R"({"status":"validated","proof_score":1.0,"evidence":)" + evidence + "}");
    CHECK(text(given, "/status") == "processing");
    const auto verified = good("POST", "/v1/proofs/verify", R"({"proof_hash":")" + hash + R"(","verifier":"v"})");
    CHECK(text(verified, "/valid") == "false");
    CHECK(text(verified, "/status") == "processing");
  }
}

TEST_CASE_METHOD(Fixture, "other evidence has to earn its state anew") {
  const auto id = make("sha256:x");
  const auto status = "/v1/proofs/" + id + "/status";
  CHECK(text(good("POST", status, std::string{R"({"status":"validated","evidence":)"} + good_evidence + "}"),
             "/status") == "validated");
  CHECK(text(good("POST", status, R"({"status":"queued"})"), "/status") == "validated");
  CHECK(text(good("POST", status, R"({"status":"validated","evidence":[{"type":"mathematical_proof"}]})"), "/status") ==
        "processing");
}

TEST_CASE_METHOD(Fixture, "only the UTID that asked for a proof changes it") {
  const auto owner = utid;
  const auto id = make("sha256:o");
  const auto status = "/v1/proofs/" + id + "/status";
  good("POST", status, std::string{R"({"status":"validated","evidence":)"} + good_evidence + "}");
  utid = make_utid(secrets(), fresh_utid({}));
  REQUIRE(utid != owner);
  for (const char* body : {R"({"status":"queued","evidence":[]})", R"({"status":"queued","anchors":[]})"}) {
    const auto refused = ask("POST", status, body);
    CHECK(refused.status == 403);
    CHECK(refused.body == R"({"detail":"The proof is of another UTID"})");
  }
  CHECK(text(good("GET", "/v1/proofs/" + id), "/status") == "validated");
  utid = owner;
  CHECK(text(good("POST", status, R"({"status":"queued","evidence":[]})"), "/status") == "queued");
}

TEST_CASE_METHOD(Fixture, "sim_alignment is not called checked here") {
  const auto id = make("sha256:s", R"(["sim_alignment"])");
  const auto given = good("POST", "/v1/proofs/" + id + "/status",
                          R"({"status":"validated","evidence":[{"type":"sim_alignment","claim":"like",
      "samples_digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "reference_digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "ks":{"d":0.1,"p":0.5},"cohens_d":0.1,"bootstrap":{"low":-1,"high":1,"draws":2000,"seed":7}}]})");
  CAPTURE(json::compact(given));
  CHECK(text(given, "/status") == "verified");
  CHECK(text(given, "/checks/0/verdict") == "not_checked");
  CHECK(text(given, "/explanation").find("cannot be checked here") != std::string::npos);
  const auto verified = good("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:s","verifier":"v"})");
  CHECK(text(verified, "/valid") == "true");  // nothing speaks against it, and the reply says that nothing was checked
  CHECK(text(verified, "/status") == "verified");
  CHECK(text(verified, "/proof_score") == "null");
  CHECK(text(verified, "/explanation").starts_with("0 claims hold, 0 fail, 1 cannot be checked here"));
}

TEST_CASE_METHOD(Fixture, "a type that was asked for and is missing is said") {
  const auto id = make("sha256:m", R"(["mathematical_proof","sim_alignment"])");
  const auto given = good("POST", "/v1/proofs/" + id + "/status",
                          std::string{R"({"status":"verified","evidence":)"} + good_evidence + "}");
  CHECK(text(given, "/status") == "processing");
  CHECK(text(given, "/explanation").find("sim_alignment is missing") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "of two proofs of one hash, verify means the one that was changed last") {
  const auto first = make("sha256:twice");
  const auto second = make("sha256:twice");
  const auto verified = [&] {
    return text(good("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:twice","verifier":"v"})"), "/proof_id");
  };
  CHECK(verified() == second);
  good("POST", "/v1/proofs/" + first + "/status", R"({"status":"processing"})");
  CHECK(verified() == first);
}

TEST_CASE_METHOD(Fixture, "X-UTID is asked for and looked at") {
  const auto good_utid = utid;
  utid.clear();
  for (const char* target : {"/v1/proofs/", "/v1/proofs", "/v1/proofs/proof_00000000"}) {
    const auto missing = ask("GET", target);
    CHECK(missing.status == 403);
    CHECK(missing.body == R"({"detail":"Missing X-UTID header"})");
  }
  const auto issued = good("POST", "/v1/utid/generate", R"({"context":{"source":"t"}})");
  utid = "UTID:REAL:x";
  CHECK(ask("GET", "/v1/proofs/").body == R"({"detail":"Invalid UTID"})");
  utid = text(issued, "/utid");
  CHECK(ask("GET", "/v1/proofs/").status == 200);
  CHECK(ask("POST", "/v1/utid/generate", "").status == 200);
  CHECK(ask("POST", "/v1/utid/generate", R"({"context":{"a":1}})").status == 422);
}

TEST_CASE_METHOD(Fixture, "an API key, where one is set") {
  Service locked{store, secrets(), Secret{"k3y"}};
  serve::Request request{"GET", {"/v1/proofs/", {}}, {{"x-utid", utid}}, {}, ""};
  CHECK(locked.answer(request).status == 401);
  request.headers.emplace_back("x-api-key", "k3x");
  CHECK(locked.answer(request).status == 401);
  request.headers.back().second = "k3y";
  CHECK(locked.answer(request).status == 200);
}

TEST_CASE_METHOD(Fixture, "bodies that do not fit are 422") {
  const std::string artifacts = R"("artifacts":[],"proof_types":[])";
  for (const std::string& body : std::vector<std::string>{
           "", "x", "[]", "{}", R"({"title":"t"})", R"({"title":1,"requester":{},)" + artifacts + "}",
           R"({"title":"t","requester":{"a":1},)" + artifacts + "}",
           R"({"title":"t","requester":[],)" + artifacts + "}",
           R"({"title":"t","requester":{},"artifacts":[{"size":5}],"proof_types":[]})",
           R"({"title":"t","requester":{},"artifacts":{},"proof_types":[]})",
           R"({"title":"t","requester":{},"artifacts":[],"proof_types":[1]})",
           R"({"title":"t","requester":{},"proof_hash":5,)" + artifacts + "}",
           R"({"title":"t","requester":{},"anchors":[1],)" + artifacts + "}",
           R"({"title":"t","requester":{},"metadata":"x",)" + artifacts + "}",
           R"({"title":"t","title":"u","requester":{},)" + artifacts + "}",
           "{\"title\":\"\xff\",\"requester\":{}," + artifacts + "}"}) {
    CAPTURE(body);
    const auto response = ask("POST", "/v1/proofs/generate", body);
    CHECK(response.status == 422);
    CHECK(json::parse(response.body, "reply").at_pointer("/detail/0/msg") != nullptr);
  }
  const auto id = make("sha256:y");
  for (const char* body : {"{}", R"({"status":"failed"})", R"({"status":1})", R"({"status":"verified","evidence":{}})",
                           R"({"status":"verified","evidence":[1]})", R"({"status":"verified","proof_score":"1"})"}) {
    CAPTURE(body);
    CHECK(ask("POST", "/v1/proofs/" + id + "/status", body).status == 422);
  }
  CHECK(ask("POST", "/v1/proofs/verify", R"({"proof_hash":"sha256:y"})").status == 422);
  for (const char* query : {"limit=0", "limit=201", "limit=x", "offset=-1", "limit="}) {
    CAPTURE(query);
    CHECK(ask("GET", std::string{"/v1/proofs/?"} + query).status == 422);
  }
}

TEST_CASE_METHOD(Fixture, "what is not there, and methods that do not fit") {
  CHECK(ask("GET", "/v1/proofs/proof_00000000").body == R"({"detail":"Proof not found"})");
  CHECK(ask("GET", "/v1/proofs/proof_00000000").status == 404);
  CHECK(ask("GET", "/v1/proofs/x'%20OR%201").status == 404);
  CHECK(ask("POST", "/v1/proofs/proof_00000000/status", R"({"status":"queued"})").status == 404);
  CHECK(ask("POST", "/v1/proofs/verify", R"({"proof_hash":"none","verifier":"v"})").status == 404);
  CHECK(ask("GET", "/v1/proofs/proof_00000000/other").status == 404);
  CHECK(ask("GET", "/").status == 404);
  CHECK(ask("GET", "/v1/proofsx").status == 404);
  CHECK(ask("DELETE", "/v1/proofs/proof_00000000").status == 405);
  CHECK(ask("PUT", "/v1/proofs/").status == 405);
  CHECK(ask("GET", "/v1/utid/generate").status == 405);
}

TEST_CASE_METHOD(Fixture, "lists are narrowed by all that is given, newest first") {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    const auto number = std::to_string(i);
    const auto made =
        good("POST", "/v1/proofs/generate",
             R"({"title":"t","requester":{},"artifacts":[],"proof_types":[],"proof_hash":"h)" + number +
                 R"(","anchor":{"utid":"u)" + std::to_string(i % 2) + R"(","domain":"d"},
            "parent_proof_id":"proof_0000000)" +
                 number + R"(","anchors":[{"chain":"eth","tx":")" + number + R"("},{"chain":"local","tx":"x"}]})");
    ids.push_back(text(made, "/proof_id"));
  }
  const auto list = [&](const std::string& query) {
    std::string found;
    const auto reply = good("GET", "/v1/proofs/?" + query);
    for (const auto& entry : *reply.if_array()) {
      const auto at = std::find(ids.begin(), ids.end(), text(entry, "/proof_id"));
      found += std::to_string(at - ids.begin());
    }
    return found;
  };
  CHECK(list("") == "43210");
  CHECK(list("utid=u1") == "31");
  CHECK(list("utid=u1&proof_hash=h1") == "1");
  CHECK(list("utid=u1&proof_hash=h2").empty());
  CHECK(list("domain=d&limit=2") == "43");
  CHECK(list("limit=2&offset=3") == "10");
  CHECK(list("status=queued&parent_proof_id=proof_00000002") == "2");
  CHECK(list("status=verified").empty());
  CHECK(list("anchor_chain=eth&anchor_tx=3") == "3");
  CHECK(list("anchor_chain=local&anchor_tx=3").empty());
  CHECK(list("anchor_chain=local") == "43210");
  CHECK(list("utid=u1'%20OR%20'1'%3D'1").empty());
  CHECK(list("unknown=1") == "43210");
}

TEST_CASE_METHOD(Fixture, "proof ids are drawn until one is free, and not for ever") {
  int drawn = 0;
  service.set_draw([&] { return ++drawn < 3 ? "proof_aaaaaaaa" : "proof_bbbbbbbb"; });
  CHECK(make("1") == "proof_aaaaaaaa");
  CHECK(make("2") == "proof_bbbbbbbb");
  CHECK(drawn == 3);
  const auto full =
      ask("POST", "/v1/proofs/generate", R"({"title":"t","requester":{},"artifacts":[],"proof_types":[]})");
  CHECK(full.status == 503);
}

TEST_CASE_METHOD(Fixture, "what was answered is there when the file is opened again") {
  const auto id = make("sha256:z");
  Store other{inside(folder) / "p.db"};
  REQUIRE(other.get(id));
  CHECK(other.get(id)->hash == "sha256:z");
}

TEST_CASE("a file that is no database of ours is refused") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  fs::write_file(inside(folder) / "text", std::string(5000, 'x'));
  CHECK_THROWS_AS(Store{inside(folder) / "text"}, Error);
  CHECK_THROWS_AS(Store{inside(folder) / "no folder" / "p.db"}, Error);
  CHECK_THROWS_AS(Store{inside(folder)}, Error);
}

TEST_CASE("an operator asks without a header whether the service lives, is ready, and what it did") {
  Fixture fixture;
  fixture.make("sha256:a");
  CHECK(fixture.ask("GET", "/v1/proofs/proof_00000000").status == 404);
  fixture.utid.clear();
  CHECK(fixture.ask("GET", "/healthz").status == 200);
  CHECK(fixture.ask("GET", "/readyz").status == 200);
  CHECK(fixture.ask("POST", "/healthz").status == 405);
  const auto metrics = fixture.ask("GET", "/metrics");
  CHECK(metrics.status == 200);
  CHECK(metrics.content_type == "text/plain; version=0.0.4; charset=utf-8");
  for (const auto* line : {"# TYPE capsule_proof_service_answers_total counter\n",
                           "\ncapsule_proof_service_answers_total{route=\"/v1/proofs/{proof_id}\",status=\"4xx\"} 1\n",
                           "\ncapsule_proof_service_answers_total{route=\"/healthz\",status=\"4xx\"} 1\n",
                           "\ncapsule_proof_service_answers_total{route=\"/healthz\",status=\"2xx\"} 1\n",
                           "\n# TYPE capsule_proof_service_answer_seconds histogram\n",
                           "\nprocess_resident_memory_bytes ", "\ncapsule_proof_service_proofs{state=\"queued\"} 1\n",
                           "\ncapsule_proof_service_proofs{state=\"validated\"} 0\n"}) {
    CAPTURE(line);
    CHECK(metrics.body.find(line) != std::string::npos);
  }
}

TEST_CASE("what a caller chooses of a path is in no label") {
  CHECK(proof_service::route_of("/v1/proofs") == "/v1/proofs/");
  CHECK(proof_service::route_of("/v1/proofs/") == "/v1/proofs/");
  CHECK(proof_service::route_of("/v1/proofs/generate") == "/v1/proofs/generate");
  CHECK(proof_service::route_of("/v1/proofs/proof_00000001") == "/v1/proofs/{proof_id}");
  CHECK(proof_service::route_of("/v1/proofs/x\"y/status") == "/v1/proofs/{proof_id}/status");
  for (const auto* path : {"/", "/v1/proofsx", "/v1/proofs/a/b", "/v1/proofs/a/status/", "/other"})
    CHECK(proof_service::route_of(path) == "other");
}

TEST_CASE("buckets are cumulative, and the last one holds all") {
  proof_service::Metrics metrics;
  metrics.count_answer("/healthz", 200, std::chrono::milliseconds{5});
  metrics.count_answer("/healthz", 200, std::chrono::milliseconds{300});
  metrics.count_answer("/healthz", 503, std::chrono::minutes{1});
  const auto text = metrics.text({});
  for (const auto* line :
       {"_bucket{le=\"0.005\"} 1\n", "_bucket{le=\"0.5\"} 2\n", "_bucket{le=\"30\"} 2\n", "_bucket{le=\"+Inf\"} 3\n",
        "_seconds_sum 60.305\n", "_seconds_count 3\n", "status=\"5xx\"} 1\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}
