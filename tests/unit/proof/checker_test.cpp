#include "proof/checker.hpp"

#include <catch2/catch.hpp>

#include <cfenv>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "fs/fd.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "support/bisection_prover.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

Claims claims_over(const std::string& left, const std::string& right,
                   const std::string& variables = R"({"x":{"min":-1,"max":1},"y":{"min":0,"max":2}})") {
  return parse_claims(R"({"version":1,"variables":)" + variables + R"(,"claims":[{"name":"c","type":"forall","left":)" +
                      left + R"(,"relation":"<=","right":)" + right + "}]}");
}

Program program_of(const Claims& claims) {
  return compile(claims.claims.at(0), claims, nullptr);
}

/// The interval of an expression over x in [low, high]; NaN bounds where it is refused.
Interval over(const std::string& expression, double low, double high) {
  const auto claims = claims_over(expression, "0", R"({"x":{"min":0,"max":1}})");
  const auto program = program_of(claims);
  Evaluator values{program};
  const Interval box{low, high};
  if (!values.evaluate({&box, 1})) return {std::nan(""), std::nan("")};
  return values.left();
}

bool refused(const std::string& expression, double low, double high) {
  return std::isnan(over(expression, low, high).low);
}

Decision compare(const std::string& left, const std::string& relation, const std::string& right, double tolerance) {
  const auto claims = parse_claims(R"({"version":1,"claims":[{"name":"c","type":"compare","left":)" + left +
                                   R"(,"relation":")" + relation + R"(","right":)" + right + "}]}");
  return decide_compare(program_of(claims), claims.claims[0].relation, tolerance);
}

}  // namespace

TEST_CASE("each bound is rounded outward, and the rounding mode is left as it was") {
  const auto sum = over(R"({"add":["x",0.2]})", 0.1, 0.1);
  CHECK(sum.low < sum.high);
  CHECK(std::nextafter(sum.low, 1.0) == sum.high);
  const auto third = over(R"({"div":[1,"x"]})", 3, 3);
  CHECK(third.low < third.high);
  CHECK(over(R"({"mul":["x",0.5]})", 3, 3).low == 1.5);
  CHECK(over(R"({"mul":["x",0.5]})", 3, 3).high == 1.5);
  CHECK(std::fegetround() == FE_TONEAREST);
  const volatile double one = 1;
  const volatile double tiny = 1e-20;
  CHECK(one + tiny == 1.0);
  const auto root = over(R"({"sqrt":"x"})", 2, 2);
  CHECK(root.low * root.low < 2);
  CHECK(root.high * root.high > 2);
  const auto e = over(R"({"exp":"x"})", 1, 1);
  CHECK(e.low < std::exp(1.0));
  CHECK(e.high > std::exp(1.0));
}

TEST_CASE("the intervals hold the exact values of random expressions (vectors made with exact fractions)") {
  const auto vectors = json::parse(
      fs::read_file(CAPSULE_TEST_SOURCE "/tests/unit/proof/vectors/intervals.json", 1U << 20U), "intervals.json");
  std::size_t evaluated = 0;
  for (const auto& vector : json::Cursor{vectors, "intervals.json"}.elements()) {
    const auto claims = claims_over(json::compact(vector.at("expression").value()), "0",
                                    R"({"x":{"min":0,"max":0},"y":{"min":0,"max":0},"z":{"min":0,"max":0}})");
    const auto program = program_of(claims);
    const auto point = vector.at("point");
    const std::vector<Interval> box{{point.at("x").number(), point.at("x").number()},
                                    {point.at("y").number(), point.at("y").number()},
                                    {point.at("z").number(), point.at("z").number()}};
    Evaluator values{program};
    if (!values.evaluate(box)) continue;
    ++evaluated;
    CAPTURE(json::compact(vector.value()));
    const auto around = vector.at("around").elements();
    CHECK(values.left().low <= around[0].number());
    CHECK(values.left().high >= around[1].number());
  }
  CHECK(evaluated > 380);
}

TEST_CASE("an interval holds the values at points of its box") {
  for (const std::string expression :
       {R"({"square":"x"})", R"({"abs":"x"})", R"({"pow":["x",3]})", R"({"pow":["x",4]})", R"({"mul":["x","x"]})",
        R"({"exp":{"neg":{"square":"x"}}})", R"({"min":["x",0.25]})", R"({"max":["x",{"neg":"x"}]})",
        R"({"div":["x",{"add":[2,"x"]}]})", R"({"sqrt":{"add":["x",1]}})", R"({"pow":[{"add":["x",1.5]},-3]})"}) {
    const auto whole = over(expression, -1, 0.75);
    CAPTURE(expression);
    for (double x = -1; x <= 0.75; x += 0.03125) {
      const auto point = over(expression, x, x);
      CHECK(whole.low <= point.low);
      CHECK(point.high <= whole.high);
    }
  }
}

TEST_CASE("what has no value on all of the box is refused, never guessed") {
  CHECK(refused(R"({"sqrt":"x"})", -1e-300, 4));
  CHECK(over(R"({"sqrt":"x"})", 0, 4).low == 0);
  CHECK(refused(R"({"log":"x"})", 0, 1));
  CHECK(refused(R"({"log":"x"})", -1, 1));
  CHECK(refused(R"({"div":[1,"x"]})", -1, 1));
  CHECK(refused(R"({"div":[1,"x"]})", 0, 1));
  CHECK(refused(R"({"div":[0,"x"]})", 0, 0));
  CHECK(refused(R"({"pow":["x",-2]})", -1, 1));
  CHECK(refused(R"({"exp":"x"})", 0, 710));
  CHECK(refused(R"({"square":"x"})", 0, 1e200));
  CHECK(refused(R"({"mul":["x",1e300]})", 0, 1e300));
  CHECK(refused(R"({"add":["x",1.7e308]})", 0, 1.7e308));
  CHECK(refused(R"("x")", 1, 0));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(refused(R"({"min":["x",1]})", nan, nan));
  CHECK(refused(R"({"max":["x",1]})", 0, infinity));
  CHECK(over(R"({"exp":"x"})", -1000, 0).low == 0);
  CHECK(over(R"({"pow":["x",0]})", -1, 1).high == 1);
}

TEST_CASE("compare is decided by the intervals") {
  CHECK(compare("1", "=", "1", 0).holds);
  CHECK_FALSE(compare("1", "=", "1.0000000000000002", 0).holds);
  CHECK(compare("1", "=", "1.0000000000000002", 1e-9).holds);
  CHECK_FALSE(compare(R"({"add":[0.1,0.2]})", "=", "0.3", 0).holds);  // not decidable without a tolerance
  CHECK(compare(R"({"add":[0.1,0.2]})", "=", "0.3", 1e-15).holds);
  CHECK_FALSE(compare("0.5", "=", "0.500001", 1e-9).holds);
  CHECK(compare("0", "<=", "0", 0).holds);
  CHECK_FALSE(compare("0", "<", "0", 0).holds);
  CHECK(compare("0", "<", "5e-324", 0).holds);
  CHECK_FALSE(compare("2", "<=", "1", 0.5).holds);
  CHECK(compare("1.25", "<=", "1", 0.5).holds);
  CHECK_FALSE(compare("1.5", "<", "1", 0.5).holds);
  CHECK_FALSE(compare("1e308", "<=", "-1e308", 1e308).holds);
  CHECK_FALSE(compare(R"({"sqrt":-1})", "<=", "1", 0).holds);
  CHECK_THAT(compare("2", "<=", "1", 0).reason, Catch::Contains("over by 1"));
  CHECK_THAT(compare(R"({"log":0})", "<=", "1", 0).reason, Catch::Contains("log"));
}

TEST_CASE("a good certificate is accepted, and every forgery of it refused") {
  // x·(1 − x) ≤ 0.26 on [0, 1]: needs the halving, because x stands there twice.
  const auto claims =
      claims_over(R"({"mul":["x",{"sub":[1,"x"]}]})", "0.26", R"({"x":{"min":0,"max":1},"y":{"min":0,"max":1}})");
  const auto program = program_of(claims);
  const auto tree = test::prove(program, claims.variables);
  REQUIRE(tree.size() > 20);
  const auto check = [&](const std::string& text) {
    return check_bisection(program, Relation::less_equal, claims.variables, text);
  };
  const auto good = check(tree);
  CHECK(good.holds);
  CHECK(good.leaves == (tree.size() + 1) / 2);

  CHECK_THAT(check("").reason, Catch::Contains("missing"));
  CHECK_THAT(check(".").reason, Catch::Contains("not proven"));
  CHECK_THAT(check(tree + ".").reason, Catch::Contains("left over"));
  CHECK_THAT(check(tree.substr(0, tree.size() - 1)).reason, Catch::Contains("missing"));
  for (std::size_t i = 0; i < tree.size(); ++i) {
    CAPTURE(i);
    auto gone = tree;
    gone.erase(i, 1);
    CHECK_FALSE(check(gone).holds);
    auto wrong_variable = tree;
    if (tree[i] == 'a') {
      wrong_variable[i] = 'b';
      CHECK_FALSE(check(wrong_variable).holds);
    }
  }
  CHECK_THAT(check("c..").reason, Catch::Contains("names no variable"));
  CHECK_THAT(check("A..").reason, Catch::Contains("names no variable"));
  CHECK_THAT(check(std::string{"\x00", 1}).reason, Catch::Contains("names no variable"));
  CHECK_THAT(check(std::string{"\xff", 1}).reason, Catch::Contains("names no variable"));

  // The same tree does not prove a nudged claim.
  const auto nudged =
      claims_over(R"({"mul":["x",{"sub":[1,"x"]}]})", "0.2499", R"({"x":{"min":0,"max":1},"y":{"min":0,"max":1}})");
  CHECK_FALSE(check_bisection(program_of(nudged), Relation::less_equal, nudged.variables, tree).holds);
}

TEST_CASE("a strict relation needs a strict leaf") {
  const auto claims = claims_over(R"("x")", "1");
  const auto program = program_of(claims);
  CHECK(check_bisection(program, Relation::less_equal, claims.variables, ".").holds);
  CHECK_FALSE(check_bisection(program, Relation::less, claims.variables, ".").holds);
}

TEST_CASE("a certificate that is too deep, too large or too costly is refused") {
  const auto claims = claims_over("0", "1");
  const auto program = program_of(claims);
  const auto check = [&](const std::string& tree, const CertificateLimits& limits) {
    return check_bisection(program, Relation::less_equal, claims.variables, tree, limits).reason;
  };
  const auto comb = [](std::size_t depth) { return std::string(depth, 'a') + std::string(depth + 1, '.'); };
  CHECK_THAT(check(comb(200), {}), Catch::Contains("proven on 201"));
  CHECK_THAT(check(comb(201), {}), Catch::Contains("deeper than 200"));
  CHECK_THAT(check(std::string(10'000'001, '.'), {}), Catch::Contains("more than 10000000 nodes"));
  CHECK_THAT(check(comb(20), {.cost = 10}), Catch::Contains("too costly"));
}

TEST_CASE("halving meets every point of the box: the two halves share the midpoint") {
  // Proven on [0, 0.5] and on [0.5, 1] only if both halves hold 0.5: |x − 0.5| ≥ 0 would hold, < 0 nowhere.
  const auto claims = claims_over(R"({"neg":{"abs":{"sub":["x",0.5]}}})", "-1e-300", R"({"x":{"min":0,"max":1}})");
  const auto program = program_of(claims);
  CHECK_FALSE(check_bisection(program, Relation::less_equal, claims.variables, "a..").holds);
  CHECK(test::prove(program, claims.variables, 5000).empty());
}
