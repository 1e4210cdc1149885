#include "relay.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "http/curl_client.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "support/fake_http_client.hpp"

using namespace capsule;
using namespace generate_proof;

namespace {

const Digest run_hash = crypto::sha256("this run");
const std::string utid = "UTID:REAL:x";

/// A relay before a fake service, and a hook's requests to it over real sockets.
struct Fixture {
  test::FakeHttpClient upstream;
  proof::ProofService service = [this] {
    proof::ProofService out{upstream, Url::parse("https://proofs.example/dac"), Secret{"the-key"}};
    out.use_utid(utid);
    return out;
  }();
  Relay relay{{.service = &service}, run_hash, utid};
  http::CurlClient client;

  http::Response ask(http::Method method, const std::string& path, const std::string& body) {
    return client.send({.method = method, .url = relay.url().with_path(path), .body = body});
  }
  http::Response generate(const json::Object& body) {
    return ask(http::Method::post, "/v1/proofs/generate", json::compact(body));
  }
};

}  // namespace

TEST_CASE("a proof for this run is asked for, with our UTID and key") {
  Fixture f;
  f.upstream.answer(200, "[]");
  f.upstream.answer(200, R"({"proof_id":"proof_00000001"})");
  const auto answer = f.generate({{"proof_hash", run_hash.text()}, {"title", "t"}});
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"proof_id":"proof_00000001"})");
  const auto& asked = f.upstream.seen().back();
  CHECK(asked.url.text() == "https://proofs.example/dac/v1/proofs/generate");
  CHECK(*asked.headers.find("X-UTID") == utid);
  CHECK(asked.credentials->value.reveal() == "the-key");
}

TEST_CASE("what was asked for before is given again") {
  Fixture f;
  f.upstream.answer(200, R"([{"proof_id":"proof_00000001"}])");
  f.upstream.answer(200, R"({"proof_id":"proof_00000001","status":"queued","hash":")" + run_hash.text() +
                             R"(","utid":")" + utid + R"("})");
  const auto answer = f.generate({{"proof_hash", run_hash.text()}});
  CHECK(answer.status == 200);
  const auto value = json::parse(answer.body, "answer");
  CHECK(*value.at_pointer("/proof_id")->if_string() == "proof_00000001");
  CHECK(f.upstream.done());
}

TEST_CASE("everything else is refused here, and the service is not asked") {
  Fixture f;
  CHECK(f.generate({{"proof_hash", crypto::sha256("another run").text()}}).status == 403);
  CHECK(f.generate({}).status == 403);
  CHECK(f.generate({{"proof_hash", 1}}).status == 403);
  CHECK(f.generate({{"proof_hash", run_hash.text()}, {"anchor", json::Object{{"utid", "UTID:other"}}}}).status == 403);
  CHECK(f.ask(http::Method::post, "/v1/proofs/generate", "{").status == 422);
  CHECK(f.ask(http::Method::get, "/v1/proofs/", "").status == 403);
  CHECK(f.ask(http::Method::get, "/v1/proofs/generate", "").status == 403);
  CHECK(f.ask(http::Method::post, "/v1/proofs/verify", "{}").status == 403);
  CHECK(f.ask(http::Method::post, "/v1/proofs/proof_00000001/status", "{}").status == 403);
  CHECK(f.ask(http::Method::post, "/", std::string((std::size_t{1} << 20U) + 1, ' ')).status == 413);
  CHECK(f.upstream.seen().empty());
}

TEST_CASE("a busy or missing service is passed on as such") {
  Fixture f;
  f.upstream.answer(200, R"({"utid":"UTID:y"})");
  CHECK(f.ask(http::Method::post, "/v1/utid/generate", "{}").status == 200);
  CHECK_FALSE(f.relay.failure());
  f.upstream.answer(429, "{}", {{"Retry-After", "7"}});
  const auto busy = f.ask(http::Method::post, "/v1/utid/generate", "{}");
  CHECK(busy.status == 429);
  CHECK(*busy.headers.find("Retry-After") == "7");
  REQUIRE(f.relay.failure());
  CHECK(f.relay.failure()->kind() == ErrorKind::unavailable);
  f.upstream.fail(Error{ErrorKind::unavailable, "secret words about https://proofs.example"});
  const auto away = f.ask(http::Method::post, "/v1/utid/generate", "{}");
  CHECK(away.status == 503);
  CHECK(away.body.find("proofs.example") == std::string::npos);
}

TEST_CASE("what the service thinks of the hook's request is the hook's to mend") {
  Fixture f;
  f.upstream.answer(200, "[]");
  f.upstream.answer(422, R"({"detail":"title"})");
  CHECK(f.generate({{"proof_hash", run_hash.text()}}).status == 422);
  CHECK_FALSE(f.relay.failure());
  f.upstream.answer(200, "[]");
  f.upstream.answer(403, R"({"detail":"Invalid UTID"})");
  CHECK(f.generate({{"proof_hash", run_hash.text()}}).status == 403);
  REQUIRE(f.relay.failure());
  CHECK(f.relay.failure()->kind() == ErrorKind::denied);
}

TEST_CASE("a relay without a service tells of the proof that was made, and asks nobody") {
  const Relay relay{{.known = proof::ServiceProof{"proof_00000009", "queued", run_hash.text(), utid}}, run_hash, utid};
  http::CurlClient client;
  const auto ask = [&](const std::string& path, const json::Object& body) {
    return client.send({.method = http::Method::post, .url = relay.url().with_path(path), .body = json::compact(body)});
  };
  const auto answer = json::parse(ask("/v1/proofs/generate", {{"proof_hash", run_hash.text()}}).body, "answer");
  CHECK(*answer.at_pointer("/proof_id")->if_string() == "proof_00000009");
  CHECK(ask("/v1/proofs/generate", {{"proof_hash", crypto::sha256("another run").text()}}).status == 403);
  CHECK(ask("/v1/utid/generate", {}).status == 403);
}
