#include "proof/proof_service.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "support/fake_http_client.hpp"
#include "support/fake_time.hpp"

using namespace capsule;
using namespace capsule::proof;
using namespace std::chrono_literals;

namespace {

const std::string id = "proof_0123abcd";
const std::string utid =
    "UTID:REAL:00112233445566778899aabbccddeeff:1700000000000:none:180308143315021d:e2142031359d271a";

std::string known(const std::string& status, const std::string& proof_id = id) {
  return R"({"proof_id":")" + proof_id + R"(","status":")" + status + R"(","hash":"sha256:aa","anchors":[],)" +
         R"("evidence":[],"signed_by":"dac","signature":"x","utid":null,"domain":"api_request"})";
}

struct Fixture {
  test::FakeTime time;
  test::FakeHttpClient http;
  ProofService service{http, Url::parse("http://127.0.0.1:8080/dac/"), Secret{"the-key"}, time.timer()};
};

}  // namespace

TEST_CASE("a UTID is asked for and goes out with every request, the key as credentials") {
  Fixture f;
  f.http.answer(200, R"({"utid":")" + utid + R"(","issued_at_ms":1700000000000})");
  f.http.answer(200, known("queued"));
  f.service.use_utid(f.service.new_utid());
  const auto found = f.service.find(id);
  REQUIRE(found);
  CHECK(found->hash == "sha256:aa");
  CHECK(found->utid.empty());
  CHECK_FALSE(found->is_final());
  const auto& seen = f.http.seen();
  CHECK(seen[0].url.path() == "/dac/v1/utid/generate");
  CHECK(seen[0].method == http::Method::post);
  CHECK(seen[1].url.path() == "/dac/v1/proofs/" + id);
  CHECK(*seen[1].headers.find("x-utid") == utid);
  CHECK(seen[1].credentials->header == "X-API-Key");
  CHECK(seen[1].credentials->value.reveal() == "the-key");
}

TEST_CASE("what the service answers is read as the answer to what was asked, or refused") {
  Fixture f;
  f.http.answer(404, R"({"detail":"Proof not found"})");
  CHECK_FALSE(f.service.find(id));
  f.http.answer(200, known("queued", "proof_ffffffff"));
  CHECK_THROWS_WITH(f.service.find(id), Catch::Contains("answers about proof_ffffffff"));
  for (const std::string bad : {"", "[]", "{}", R"({"proof_id":1,"status":"queued"})", "<html>"}) {
    CAPTURE(bad);
    f.http.answer(200, bad);
    CHECK_THROWS_AS(f.service.find(id), Error);
  }
  for (const std::string bad : {"", "proof_", "proof_0123ABCD", "proof_0123abcd/../x", "proof_0123abcde"}) {
    CAPTURE(bad);
    CHECK_THROWS_WITH(f.service.find(bad), Catch::Contains("no proof_id"));
  }
  f.http.answer(200, R"({"utid":"two words"})");
  CHECK_THROWS_WITH(f.service.new_utid(), Catch::Contains("a UTID that is none"));
  f.http.answer(403, R"({"detail":"Missing X-UTID header"})");
  CHECK_THROWS_WITH(f.service.find(id), Catch::Contains("403"));
}

TEST_CASE("evidence is posted, then verified under the first hash once") {
  Fixture f;
  const auto hash = crypto::sha256("x");
  f.http.answer(200, R"({"proof_id":"proof_0123abcd","status":"processing","anchors":[],"proof_score":null})");
  f.http.answer(200, R"({"status":"verified","valid":true,"verifier":"v","proof_id":"proof_0123abcd","anchors":[],)"
                     R"("proof_score":1,"proof_hash":"another"})");
  f.http.answer(404, R"({"detail":"Proof not found"})");
  f.service.put_evidence(id, json::Array{});
  CHECK(f.service.verify(id, hash)->is_final());
  CHECK_FALSE(f.service.verify(id, hash));
  CHECK(f.http.seen()[0].body == R"({"status":"processing","evidence":[]})");
  CHECK(f.http.seen()[1].body == R"({"proof_hash":")" + hash.text() + R"(","verifier":"capsule-generate-proof"})");

  f.http.answer(200, R"({"status":"processing","valid":false,"proof_id":"proof_0123abcd"})");
  CHECK_THROWS_WITH(f.service.verify(id, hash), Catch::Contains("does not call proof_0123abcd valid"));
  f.http.answer(200, R"({"status":"verified","proof_id":"proof_0123abcd"})");
  CHECK_THROWS_AS(f.service.verify(id, hash), Error);
}

TEST_CASE("a proof that never gets final ends at a limit of ours") {
  Fixture f;
  for (const char* status : {"queued", "processing", "something new", "validated"}) f.http.answer(200, known(status));
  CHECK(f.service.wait_until_final(id, 60s).status == "validated");
  CHECK(f.time.slept.size() == 3);
  for (int i = 0; i < 100; ++i) f.http.answer(200, known("queued"));
  try {
    static_cast<void>(f.service.wait_until_final(id, 60s));
    FAIL("it ended");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::timed_out);
    CHECK_THAT(error.message(), Catch::Contains("still 'queued'"));
  }
}

TEST_CASE("an earlier proof is found by its hash among the noise of a list") {
  Fixture f;
  f.service.use_utid(utid);
  const auto hash = crypto::sha256("x");
  const auto listed = [](const std::string& proof_id) {
    return R"({"proof_id":")" + proof_id +
           R"(","utid":null,"domain":"api_request","inputs":{},"outputs":{},"metadata":{}})";
  };
  const auto of = [&](const std::string& proof_id, const std::string& maker) {
    return R"({"proof_id":")" + proof_id + R"(","status":"queued","hash":")" + hash.text() + R"(","utid":")" + maker +
           R"("})";
  };
  f.http.answer(200, "[" + listed("noise") + "," + listed("proof_00000001") + "," + listed(id) + "]");
  f.http.answer(200, of("proof_00000001", "UTID:of:another"));
  f.http.answer(200, of(id, utid));
  CHECK(f.service.find_by_hash(hash)->proof_id == id);
  CHECK(f.http.seen()[0].url.path() == "/dac/v1/proofs/");
  CHECK(f.http.seen()[0].url.query() == "proof_hash=sha256%3A" + std::string{hash.hex()} + "&limit=20");
  f.http.answer(200, "[" + listed(id) + "]");
  f.http.answer(200, R"({"proof_id":")" + id + R"(","status":"queued","hash":")" + hash.text() + R"(","utid":null})");
  CHECK(f.service.find_by_hash(hash)->proof_id == id);
  f.http.answer(200, "[]");
  CHECK_FALSE(f.service.find_by_hash(hash));
}

TEST_CASE("a body of somebody else's goes out with our headers") {
  Fixture f;
  f.service.use_utid(utid);
  f.http.answer(429, "busy", {{"Retry-After", "3"}});
  CHECK(f.service.forward("/v1/proofs/generate", "{}").status == 429);
  CHECK(*f.http.seen()[0].headers.find("X-UTID") == utid);
  CHECK(f.http.seen()[0].body == "{}");
}
