#include "proof/claims.hpp"

#include <catch2/catch.hpp>

#include <string>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/program.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

std::string with_claim(const std::string& claim, const std::string& definitions = "{}") {
  return R"({"version":1,"variables":{"b":{"min":0,"max":1},"a":{"min":-1,"max":2,"unit":"m"}},"definitions":)" +
         definitions + R"(,"claims":[)" + claim + "]}";
}

std::string forall(const std::string& left) {
  return R"({"name":"c","type":"forall","left":)" + left + R"(,"relation":"<=","right":1})";
}

std::string compare(const std::string& left) {
  return R"({"name":"c","type":"compare","left":)" + left + R"(,"relation":"=","right":1})";
}

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parse_claims(text));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    return error.message();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("claims are read, variables in the order of a certificate's letters") {
  const auto claims = parse_claims(with_claim(forall(R"({"add":["a","b"]})")));
  REQUIRE(claims.variables.size() == 2);
  CHECK(claims.variables[0].name == "a");
  CHECK(claims.variables[0].min == -1);
  CHECK(claims.claims.at(0).relation == Relation::less_equal);
  CHECK(claims.find("c") != nullptr);
  CHECK(claims.find("d") == nullptr);
}

TEST_CASE("what is no claim is refused with its place") {
  const auto [text, words] = GENERATE(table<std::string, std::string>({
      {"[]", "object"},
      {R"({"version":2,"claims":[]})", "only version 1"},
      {R"({"version":1,"claims":[],"extra":1})", "extra"},
      {R"({"version":1})", "claims"},
      {with_claim(R"({"name":"c","type":"exists"})"), "unknown claim type 'exists'"},
      {with_claim(R"({"name":"C c","type":"compare"})"), "name"},
      {with_claim(forall("1") + "," + forall("1")), "another claim has this name"},
      {with_claim(R"({"name":"c","type":"forall","left":1,"relation":"=","right":1})"), "relation"},
      {with_claim(R"({"name":"c","type":"forall","left":1,"relation":"<=","right":1,"tolerance":1})"), "tolerance"},
      {with_claim(R"({"name":"c","type":"compare","left":1,"relation":"=","right":1,"tolerance":-1})"), "less than 0"},
      {with_claim(R"({"name":"c","type":"compare","left":1,"relation":">","right":1})"), "relation"},
      {with_claim(forall(R"("nowhere")")), "'nowhere' is no variable"},
      {with_claim(forall(R"({"sin":1})")), "unknown operator 'sin'"},
      {with_claim(forall(R"({"add":[]})")), "operands"},
      {with_claim(forall(R"({"sub":[1]})")), "two operands"},
      {with_claim(forall(R"({"sub":[1,2,3]})")), "two operands"},
      {with_claim(forall(R"({"add":[1],"mul":[1]})")), "one member"},
      {with_claim(forall(R"({"pow":["a",0.5]})")), "integer"},
      {with_claim(forall(R"({"pow":["a",65]})")), "exponent"},
      {with_claim(forall("true")), "no expression"},
      {with_claim(forall(R"({"record":"no pointer"})")), "pointer"},
      {with_claim(forall(R"({"at":{"a":1,"b":1},"value":"a"})")), "compare claims only"},
      {with_claim(compare(R"("a")")), "free"},
      {with_claim(compare(R"({"at":{"a":1},"value":"a"})")), "does not bind 'b'"},
      {with_claim(compare(R"({"at":{"a":1,"b":1,"c":1},"value":"a"})")), "no variable"},
      {with_claim(compare(R"({"at":{"a":1,"b":"a"},"value":"a"})")), "free"},
      {with_claim(compare(R"({"at":{"a":1,"b":1},"value":{"at":{"a":1,"b":1},"value":1}})")), "inside"},
      {with_claim(forall("1"), R"({"f":"g","g":{"neg":"f"}})"), "needs itself"},
      {with_claim(forall("1"), R"({"f":"nowhere"})"), "nowhere"},
      {with_claim(forall("1"), R"({"a":1})"), "a variable has this name"},
      {with_claim(forall("1"), R"({"F":1})"), "name"},
      {R"({"version":1,"variables":{"record":{"min":0,"max":1}},"claims":[]})", "record"},
      {R"({"version":1,"variables":{"x":{"min":2,"max":1}},"claims":[]})", "greater"},
      {R"({"version":1,"variables":{"x":{"min":0,"max":1e999}},"claims":[]})", "/variables/x/max"},
      {with_claim(R"({"name":"s","type":"sim_alignment","samples":"/s","reference":"../x.json","reference_pointer":"",)"
                  R"("max_effect_size":1,"min_p":0})"),
       ""},
      {with_claim(R"({"name":"s","type":"sim_alignment","samples":"/s","reference":"x.json","reference_pointer":"",)"
                  R"("max_effect_size":1,"min_p":2})"),
       "probability"},
  }));
  CAPTURE(text);
  const auto message = refusal(text);
  CHECK(message != "accepted");
  CHECK_THAT(message, Catch::Contains(words));
}

TEST_CASE("limits on claims hold: depth, length, number of variables, exponential definitions") {
  std::string deep = "1";
  for (int i = 0; i < 300; ++i) deep = R"({"neg":)" + deep + "}";
  CHECK(refusal(with_claim(forall(deep))) != "accepted");

  std::string chain = R"({"d0":"a")";
  for (int i = 1; i < 400; ++i) chain += ",\"d" + std::to_string(i) + "\":{\"neg\":\"d" + std::to_string(i - 1) + "\"}";
  CHECK_THAT(refusal(with_claim(forall("1"), chain + "}")), Catch::Contains("deeper"));

  std::string wide = R"({"add":[1)";
  for (int i = 0; i < 5000; ++i) wide += ",1";
  CHECK_THAT(refusal(with_claim(forall(wide + "]}"))), Catch::Contains("operations"));

  std::string many = R"({"version":1,"claims":[],"variables":{)";
  for (int i = 0; i < 27; ++i) many += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + R"(":{"min":0,"max":1})";
  CHECK_THAT(refusal(many + "}}"), Catch::Contains("26 variables"));

  std::string doubling = R"({"d0":"a")";
  for (int i = 1; i < 60; ++i) {
    const auto before = "\"d" + std::to_string(i - 1) + "\"";
    doubling += ",\"d" + std::to_string(i) + "\":{\"add\":[" + before + "," + before + "]}";
  }
  const auto claims = parse_claims(with_claim(forall(R"("d59")"), doubling + "}"));
  CHECK(compile(claims.claims[0], claims, nullptr).code.size() < 70);  // each definition once
}

TEST_CASE("the record's values are put in as they are written") {
  const auto record = json::parse(R"({"result":{"score":0.50,"a/b":[1,2]},"text":"x"})", "record");
  const auto value =
      json::parse(R"({"at":{"x":{"record":"/result/a~1b/1"}},"value":[{"record":"/result/score"},"n"]})", "v");
  CHECK(json::compact(with_record_values(value, record)) == R"({"at":{"x":2},"value":[0.50,"n"]})");
  for (const std::string pointer : {"/nothing", "/text", "/result"}) {
    const json::Value missing{json::Object{{"record", pointer}}};
    CHECK_THROWS_WITH(with_record_values(missing, record), Catch::Contains(pointer));
  }
}
