#include "proof/evidence.hpp"
#include "proof/checker.hpp"

#include <catch2/catch.hpp>

#include <string>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/alignment.hpp"
#include "unit/proof/fixture.hpp"

using namespace capsule;
using namespace capsule::proof;
using Fixture = capsule::test::ProvenRun;

namespace {

json::Object with(json::Object object, std::string_view key, json::Value value) {
  object.set(key, std::move(value));
  return object;
}

}  // namespace

TEST_CASE("an honest run's evidence holds, one result for each claim in their order") {
  const Fixture f;
  const auto results = f.check({f.alignment(), f.mathematical()});
  REQUIRE(results.size() == 3);
  CHECK(results[0].claim == "score-is-objective");
  CHECK(results[1].claim == "near-optimal");
  CHECK_THAT(results[1].detail, Catch::Contains("proven on"));
  CHECK(results[2].type == "sim_alignment");
  CHECK_NOTHROW(require_all_hold(results));
}

TEST_CASE("numbers of the evidence may be written in another way, not be other numbers") {
  Fixture f;
  const auto honest = f.mathematical();
  auto text = json::compact(honest);
  const auto at = text.find("1.0,\"relation\":\"=\"");
  REQUIRE(at != std::string::npos);
  CHECK(f.verdict({json::parse(text.replace(at, 3, "1e0"), "e"), f.alignment()}).empty());
  CHECK_THAT(f.verdict({json::parse(text.replace(at, 3, "1.000001"), "e"), f.alignment()}),
             Catch::Contains("not the claim 'score-is-objective'"));
}

TEST_CASE("evidence that does not cover exactly the claims is refused") {
  const Fixture f;
  CHECK_THAT(f.verdict({}), Catch::Contains("nothing proves the claim 'score-is-objective'"));
  CHECK_THAT(f.verdict({f.mathematical()}), Catch::Contains("nothing proves the claim 'like-the-reference'"));
  CHECK_THAT(f.verdict({f.alignment()}), Catch::Contains("nothing proves"));
  CHECK_THAT(f.verdict({f.mathematical(), f.mathematical(), f.alignment()}), Catch::Contains("proven twice"));
  CHECK_THAT(f.verdict({json::Object{{"type", "zk_snark"}}}), Catch::Contains("unknown evidence type 'zk_snark'"));
  CHECK_THAT(f.verdict({with(f.mathematical(), "note", 1), f.alignment()}), Catch::Contains("note"));
  CHECK_THAT(f.verdict({with(f.mathematical(), "claims", json::Array{}), f.alignment()}),
             Catch::Contains("is missing"));
  auto claims = *f.mathematical().find("claims")->if_array();
  claims.push_back(json::parse(R"({"name":"extra","type":"compare","left":1,"relation":"=","right":1})", "e"));
  CHECK_THAT(f.verdict({with(f.mathematical(), "claims", claims), f.alignment()}), Catch::Contains("does not make"));
  CHECK_THAT(f.verdict({with(f.mathematical(), "variables", json::Object{}), f.alignment()}),
             Catch::Contains("not the variables"));
  CHECK_THAT(f.verdict({with(f.mathematical(), "definitions", json::Object{{"score", 0}}), f.alignment()}),
             Catch::Contains("not the definitions"));
}

TEST_CASE("certificates are exactly those of the forall claims") {
  const Fixture f;
  const auto honest = f.mathematical();
  const auto tree = *honest.find("certificates")->at_pointer("/0/tree")->if_string();
  const auto certificate = [](const std::string& claim, const std::string& type, const std::string& text) {
    return json::Object{{"claim", claim}, {"type", type}, {"tree", text}};
  };
  const auto verdict = [&](const json::Array& certificates) {
    return f.verdict({with(honest, "certificates", certificates), f.alignment()});
  };
  CHECK(verdict({certificate("near-optimal", "bisection", tree)}).empty());
  CHECK_THAT(verdict({}), Catch::Contains("no certificate for the claim 'near-optimal'"));
  CHECK_THAT(verdict({certificate("near-optimal", "bisection", tree), certificate("near-optimal", "bisection", tree)}),
             Catch::Contains("second certificate"));
  CHECK_THAT(verdict({certificate("near-optimal", "bisection", tree), certificate("other", "bisection", ".")}),
             Catch::Contains("'other', which is no forall claim"));
  CHECK_THAT(verdict({certificate("near-optimal", "sum-of-squares", tree)}),
             Catch::Contains("unknown certificate type 'sum-of-squares'"));
  CHECK_THAT(verdict({certificate("near-optimal", "bisection", tree.substr(1))}),
             Catch::Contains("'near-optimal' does"));
}

TEST_CASE("a lying run is refused") {
  const Fixture honest;
  SECTION("a better score") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.75},"score":1.0,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), f.alignment()}),
               Catch::Contains("claim 'score-is-objective' does not hold") && Catch::Contains("0.0625"));
  }
  SECTION("a score that is nudged by 1e-6") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1.000001,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), f.alignment()}), Catch::Contains("'score-is-objective' does not hold"));
  }
  SECTION("a run that is not near the optimum has no certificate") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.75},"score":0.9375,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    const auto& claim = *f.claims.find("near-optimal");
    CHECK(test::prove(compile(claim, f.claims, &f.record), f.claims.variables, 10'000).empty());
  }
  SECTION("evidence of another run") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.26,"y":0.5},"score":0.9999,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    CHECK_THAT(f.verdict({honest.mathematical(), f.alignment()}),
               Catch::Contains("not the claim 'score-is-objective'"));
  }
  SECTION("a result that a claim needs is missing") {
    Fixture f;
    f.record =
        json::parse(R"({"seed":7,"result":{"params":{"x":0.25},"score":1,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    CHECK_THAT(f.verdict({honest.mathematical(), honest.alignment()}), Catch::Contains("/result/params/y"));
  }
  SECTION("samples copied from the reference, in any order") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[1.5,1,2.5,2,3,2.25]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), f.alignment()}), Catch::Contains("copy of the reference"));
  }
  SECTION("samples most of which are the reference's") {
    Fixture f;
    f.files["simulation/reference.json"] = R"({"samples":[1.0123,1.5871,2.5462,2.0049,3.0317,2.2535]})";
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[1.5871,1.0123,2.5462,2.0049,3.0317]}})",
        "r");
    const Facts facts{f.claims, f.files, f.record};
    CHECK_THAT(Alignments{facts}.decide(*f.claims.find("like-the-reference")).detail,
               Catch::Contains("copy of the reference"));
  }
  SECTION("samples on a coarse grid that meet the reference by chance are none of the lies") {
    Fixture f;
    f.record =
        json::parse(R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[1.5,1,2.5,2,3]}})", "r");
    CHECK(f.verdict({f.mathematical(), f.alignment()}).empty());
  }
  SECTION("samples far from the reference") {
    Fixture f;
    f.record =
        json::parse(R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[9.5,9,8.5,8]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), f.alignment()}),
               Catch::Contains("'like-the-reference' does not hold: effect size"));
  }
  SECTION("samples of another run or seed") {
    Fixture f;
    f.record = json::parse(
        R"({"seed":8,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[1.25,1.75,2,2.5,2.75]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), honest.alignment()}), Catch::Contains("not the seed"));
    f.record = json::parse(
        R"({"seed":7,"result":{"params":{"x":0.25,"y":0.5},"score":1,"samples":[1.25,1.75,2,2.5,2.5]}})", "r");
    CHECK_THAT(f.verdict({f.mathematical(), honest.alignment()}), Catch::Contains("not the samples"));
  }
}

TEST_CASE("every stated statistic is computed again") {
  const Fixture f;
  const auto honest = f.alignment();
  const auto verdict = [&](const json::Object& piece) { return f.verdict({f.mathematical(), piece}); };
  CHECK(verdict(honest).empty());
  const auto ks_d = json::to_double(*honest.find("ks")->at_pointer("/d")->if_number());
  const auto ks_p = json::to_double(*honest.find("ks")->at_pointer("/p")->if_number());
  CHECK(verdict(with(honest, "ks", json::Object{{"d", ks_d + 1e-12}, {"p", ks_p}})).empty());
  CHECK_THAT(verdict(with(honest, "ks", json::Object{{"d", ks_d + 1e-6}, {"p", ks_p}})), Catch::Contains("/ks/d"));
  CHECK_THAT(verdict(with(honest, "ks", json::Object{{"d", ks_d}, {"p", 0.99999}})), Catch::Contains("/ks/p"));
  CHECK_THAT(verdict(with(honest, "cohens_d", 0)), Catch::Contains("/cohens_d"));
  CHECK_THAT(verdict(with(honest, "reference_digest", "sha256:0")), Catch::Contains("/reference_digest"));
  CHECK_THAT(verdict(with(honest, "claim", "near-optimal")), Catch::Contains("no sim_alignment claim"));
  for (const auto& [key, value] :
       std::map<std::string, json::Value>{{"low", 9}, {"high", 9}, {"draws", 10}, {"seed", 8}}) {
    const auto bootstrap = with(*honest.find("bootstrap")->if_object(), key, value);
    CHECK_THAT(verdict(with(honest, "bootstrap", bootstrap)), Catch::Contains("/bootstrap/" + key));
  }
  auto short_piece = honest;
  short_piece.erase("bootstrap");
  CHECK_THAT(verdict(short_piece), Catch::Contains("bootstrap"));
}

TEST_CASE("a sample count out of bounds is refused") {
  Fixture f;
  json::Array many(10'001, 1.5);
  f.record = json::Object{{"seed", 7}, {"result", json::Object{{"samples", many}}}};
  const Fixture honest;
  CHECK_THROWS_WITH(f.check({honest.alignment()}), Catch::Contains("10001 samples"));
  f.record = json::Object{{"seed", 7}, {"result", json::Object{{"samples", json::Array{1}}}}};
  CHECK_THROWS_WITH(f.check({honest.alignment()}), Catch::Contains("2 to 10000"));
  f.record = json::Object{{"seed", 7}, {"result", json::Object{{"samples", json::Array{1, "2"}}}}};
  CHECK_THROWS_AS(f.check({honest.alignment()}), Error);
}

/// One piece by itself, with all that certificates may cost.
std::vector<ClaimResult> alone(const json::Value& piece, std::uint64_t cost_left = max_certificate_cost) {
  return check_alone(piece, cost_left);
}

TEST_CASE("evidence alone: certificates are walked, samples are not there to check") {
  const Fixture f;
  const auto results = alone(f.mathematical());
  REQUIRE(results.size() == 2);
  CHECK(results[1].verdict == ClaimResult::Verdict::holds);
  CHECK(alone(f.alignment()).at(0).verdict == ClaimResult::Verdict::not_checked);
  CHECK_THROWS_WITH(alone(json::Object{{"type", "oracle"}}), Catch::Contains("'oracle'"));
  CHECK_THROWS_AS(alone(json::Array{}), Error);
  const auto unbound = with(f.mathematical(), "claims", json::Array{f.claims.claims[0].document});
  CHECK_THROWS_WITH(alone(unbound), Catch::Contains("still refers to the run record"));
  CHECK_THROWS_WITH(alone(with(f.mathematical(), "definitions", json::Object{})), Catch::Contains("'score'"));
}

TEST_CASE("the proof hash is that of the canonical facts") {
  const auto digest = [](const char* text) { return crypto::sha256(text); };
  CHECK(proof_hash(digest("a"), digest("b"), digest("c")) ==
        crypto::sha256(R"({"capsule_digest":")" + digest("a").text() + R"(","claims_digest":")" + digest("b").text() +
                       R"(","run_record_digest":")" + digest("c").text() + R"("})"));
}

TEST_CASE("what certificates cost is counted over all pieces") {
  const Fixture f;
  const auto piece = f.mathematical();
  auto left = max_certificate_cost;
  CHECK(check_alone(piece, left).at(1).verdict == ClaimResult::Verdict::holds);
  const auto cost = max_certificate_cost - left;
  REQUIRE(cost > 0);
  left = 2 * cost;
  CHECK(check_alone(piece, left).at(1).verdict == ClaimResult::Verdict::holds);
  CHECK(check_alone(piece, left).at(1).verdict == ClaimResult::Verdict::holds);
  CHECK(left == 0);
  const auto third = check_alone(piece, left).at(1);
  CHECK(third.verdict == ClaimResult::Verdict::fails);
  CHECK_THAT(third.detail, Catch::Contains("too costly"));
}
