#include "workflow/expression.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "core/error.hpp"
#include "workflow/path_map.hpp"
#include "workflow/substitution.hpp"

using namespace capsule;
using namespace capsule::workflow;

namespace {

const std::string retry =
    R"(lastRetry.status == "Error" || (asInt(lastRetry.exitCode) >= 40 && asInt(lastRetry.exitCode) <= 49) || asInt(lastRetry.exitCode) in [-1, 137, 143])";

Lookup names(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view path) -> std::optional<json::Value> {
    const auto found = values.find(path);
    return found == values.end() ? std::nullopt : std::optional{json::Value{found->second}};
  };
}

bool retries(const std::string& status, const std::string& code) {
  return evaluate_condition(retry, Dialect::expr, names({{"lastRetry.status", status}, {"lastRetry.exitCode", code}}));
}

}  // namespace

TEST_CASE("the shipped retry expression tries again what can pass, and nothing else") {
  CHECK(retries("Error", "1"));
  for (const std::string code : {"40", "41", "42", "49", "-1", "137", "143"}) CHECK(retries("Failed", code));
  for (const std::string code : {"1", "2", "10", "16", "39", "50", "64", "128"}) CHECK_FALSE(retries("Failed", code));
}

TEST_CASE("expr: operators, precedence, names, functions") {
  const auto lookup = names({{"a", "3"}, {"inputs.parameters.log", ""}, {"steps.generate-proof.status", "Succeeded"}});
  const auto yes = [&](std::string_view text) { return evaluate_condition(text, Dialect::expr, lookup); };
  CHECK(yes("true || false && false"));
  CHECK_FALSE(yes("(true || false) && false"));
  CHECK(yes("!(1 > 2)"));
  CHECK(yes("asInt(a) == 3 && asFloat('2.5') < 3"));
  CHECK(yes("inputs.parameters.log == ''"));
  CHECK(yes("inputs.parameters['log'] == \"\""));
  CHECK(yes("steps['generate-proof'].status == 'Succeeded'"));
  CHECK(yes("'x' in ['y', 'x']"));
  CHECK(yes("string(3) == a"));
  CHECK(yes("- -5 == 5 && --5 != -5 && -1 in [-1]"));
  CHECK_FALSE(yes("--5 == --6"));
  for (const std::string bad : {"", "b == 1", "1 ==", "(1 == 1", "1 == 1)", "sprig.env('X')", "asInt('x') == 1",
                                "'open", "a @ b", "1.2.3 == 4.5.6", "1. 2", "asInt('nan') == 1", "asFloat('inf') > 1",
                                "1 && true", "a < 'b'", "{{a}} == 1", "asInt(1.5) == 1"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(yes(bad), Error);
  }
  CHECK_THROWS_AS(yes(std::string(1000, '(') + "true" + std::string(1000, ')')), Error);
}

TEST_CASE("an expression's form is checked without its values") {
  const auto known = names({{"a", ""}, {"inputs.parameters.x", ""}});
  for (const std::string good : {"asInt(a) > 3 && a in ['x']", "!a || -a == 1", "inputs.parameters['x'] == 'y'"}) {
    CAPTURE(good);
    CHECK_NOTHROW(check_expression(good, Dialect::expr, known));
  }
  for (const std::string bad : {"b", "false && b", "asInt(b) == 1", "a ==", "f(a)", "(a", "a b", "1.2.3", "['x', b]"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(check_expression(bad, Dialect::expr, known), Error);
  }
  CHECK_NOTHROW(check_tags("x {{a}} {{=asInt(a) == 0}}", known));
  CHECK_THROWS_AS(check_tags("{{b}}", known), Error);
  CHECK_THROWS_AS(check_tags("{{=b}}", known), Error);
  CHECK_THROWS_AS(check_tags("{{a", known), Error);
}

TEST_CASE("when: bare words are strings, and no value can become an operator") {
  const auto with = [](const std::string& value) { return names({{"inputs.parameters.publish", value}}); };
  const std::string text = "{{inputs.parameters.publish}} == true";
  CHECK(evaluate_condition(text, Dialect::when, with("true")));
  CHECK_FALSE(evaluate_condition(text, Dialect::when, with("false")));
  CHECK_FALSE(evaluate_condition(text, Dialect::when, with("")));
  CHECK_FALSE(evaluate_condition(text, Dialect::when, with("x == x || true")));
  CHECK(evaluate_condition("'{{inputs.parameters.publish}}' != heads && 2 > 1", Dialect::when, with("tails")));
  CHECK(evaluate_condition("{{inputs.parameters.publish}}", Dialect::when, with("true")));
  for (const std::string yes : {"{{=inputs.parameters.publish == 'a'}}", "{{= inputs.parameters.publish }} == a",
                                "'{{=string(1)}}' == 1 && !{{=1 == 2}}", "{{=asInt('3')}} > 2"}) {
    CAPTURE(yes);
    CHECK(evaluate_condition(yes, Dialect::when, with("a")));
    CHECK_NOTHROW(check_expression(yes, Dialect::when, with("")));
  }
  CHECK_FALSE(evaluate_condition("{{=inputs.parameters.publish}} == b", Dialect::when, with("b == b || b")));
  for (const std::string bad : {"{{=inputs.parameters.nothing}} == true", "{{=}}", "{{=1 ==}}", "{{=={{=1}}}}"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(check_expression(bad, Dialect::when, with("")), Error);
  }
  CHECK_THROWS_AS(evaluate_condition("{{inputs.parameters.nothing}} == true", Dialect::when, with("")), Error);
  CHECK_THROWS_AS(evaluate_condition("{{inputs.parameters.publish}}", Dialect::when, with("maybe")), Error);
}

TEST_CASE("depends: tasks, their states, names with dashes") {
  const auto lookup = names({});
  const Lookup states = [](std::string_view path) -> std::optional<json::Value> {
    if (path == "build-it" || path == "b.Failed") return true;
    if (path == "b" || path == "build-it.Failed") return false;
    return std::nullopt;
  };
  CHECK(evaluate_condition("build-it && !b", Dialect::depends, states));
  CHECK(evaluate_condition("build-it.Failed || b.Failed", Dialect::depends, states));
  CHECK_THROWS_AS(evaluate_condition("c", Dialect::depends, states), Error);
  CHECK(tasks_in("build-it.Succeeded && (b || !c-d)") == std::vector<std::string>{"build-it", "b", "c-d"});
}

TEST_CASE("a tag is replaced once; what it brings is never read again") {
  const auto lookup = names({{"a", "{{b}}"}, {"b", "x"}, {"steps.pack.outputs.parameters.package", "/p"}});
  CHECK(substitute("<{{a}}> {{ b }} {{=string(asInt('2'))}}", lookup) == "<{{b}}> x 2");
  CHECK(substitute("--in={{steps.pack.outputs.parameters.package}}", lookup) == "--in=/p");
  CHECK_THROWS_WITH(substitute("{{c}}", lookup), Catch::Contains("{{c}}"));
  CHECK_THROWS_AS(substitute("{{a", lookup), Error);
  CHECK_THROWS_AS(substitute("{{=a ==}}", lookup), Error);
}

TEST_CASE("mount paths are replaced at path boundaries only") {
  PathMap map;
  map.add("/work", "/s/v");
  map.add("/work/outputs", "/s/n/outputs");
  map.add("/keys/proof", "/s/k");
  CHECK(map.apply("--out=/work/packages/") == "--out=/s/v/packages/");
  CHECK(map.apply("/work/outputs/package") == "/s/n/outputs/package");
  CHECK(map.apply("/work/outputs2") == "/s/v/outputs2");
  CHECK(map.apply("/workshop /home/work a/work") == "/workshop /home/work a/work");
  CHECK(map.apply("/work:/work,/keys/proof/key.pem") == "/s/v:/s/v,/s/k/key.pem");
  CHECK(map.apply("/work") == "/s/v");
  CHECK(map.apply("/keys/proof-service/x") == "/keys/proof-service/x");
}
