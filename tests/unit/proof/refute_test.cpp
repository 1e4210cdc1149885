#include "proof/refute.hpp"

#include "unit/proof/fixture.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

std::vector<ClaimResult> refuted(const std::string& claims_text, const std::string& record_text) {
  const auto claims = parse_claims(claims_text);
  const auto record = json::parse(record_text, "record");
  const std::map<std::string, std::string> files{{"simulation/reference.json", test::reference_text}};
  return refuted_claims({claims, files, record});
}

std::string forall(const std::string& left, const std::string& relation, const std::string& right) {
  return R"({"version":1,"variables":{"x":{"min":0,"max":1},"y":{"min":-2,"max":2}},"claims":[{"name":"c","type":"forall","left":)" +
         left + R"(,"relation":")" + relation + R"(","right":)" + right + "}]}";
}

}  // namespace

TEST_CASE("an honest run is not refuted") {
  CHECK(refuted(test::claims_text, test::record_text).empty());
}

TEST_CASE("what is false is found, with the place and by how much") {
  const auto lies = refuted(test::claims_text, R"({"seed": 7, "result": {"params": {"x": 0.25, "y": 1.0}, "score": 0.7,
    "samples": [9, 9.5, 10, 10.5]}})");
  REQUIRE(lies.size() == 3);
  CHECK(lies[0].claim == "score-is-objective");
  CHECK_THAT(lies[1].detail, Catch::Contains("false at x = 0.25") && Catch::Contains("over by 0.29"));
  CHECK_THAT(lies[2].detail, Catch::Contains("effect size"));
}

TEST_CASE("a forall claim that is false only near one point is refuted, a true one never") {
  // 1/(1 + 10⁴((x − 0.3)² + (y − 1.1)²)) reaches 1 at (0.3, 1.1), a peak of width 0.01.
  const std::string peak =
      R"({"div":[1,{"add":[1,{"mul":[10000,{"add":[{"square":{"sub":["x",0.3]}},{"square":{"sub":["y",1.1]}}]}]}]}]})";
  CHECK(refuted(forall(peak, "<=", "0.99"), "{}").size() == 1);
  CHECK(refuted(forall(peak, "<=", "1"), "{}").empty());
  CHECK(refuted(forall("\"x\"", "<=", "1"), "{}").empty());
  CHECK(refuted(forall("\"x\"", "<", "1"), "{}").size() == 1);
  CHECK(refuted(forall(R"({"log":"y"})", "<=", "100"), "{}").empty());  // has no value on half of the box
  CHECK(refuted(R"({"version":1,"claims":[{"name":"c","type":"forall","left":2,"relation":"<=","right":1}]})", "{}")
            .size() == 1);
}
