#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/error.hpp"
#include "json/write.hpp"
#include "yaml/parse.hpp"

using capsule::Error;
namespace yaml = capsule::yaml;

namespace {
std::string json_of(std::string_view text) {
  return capsule::json::compact(yaml::parse(text, "f.yaml"));
}
}  // namespace

TEST_CASE("YAML scalars have the types of the core schema") {
  CHECK(json_of("a: 1\nb: '1'\nc: true\nd: yes\ne: ~\nf: 1.50\ng: \"x\"\nh:\ni: 007\n") ==
        R"({"a":1,"b":"1","c":true,"d":"yes","e":null,"f":1.50,"g":"x","h":null,"i":"007"})");
  CHECK(json_of("- a\n- [1, {b: c}]\n- |\n  two\n  lines\n") == R"(["a",[1,{"b":"c"}],"two\nlines\n"])");
}

TEST_CASE("what two readers could take for two things is refused, with line and column") {
  CHECK_THROWS_WITH(yaml::parse("a: 1\na: 2\n", "f.yaml"), "f.yaml: the key 'a' is there twice (line 2, column 1)");
  for (const std::string bad :
       {"a: &x 1\nb: *x\n", "a: !!binary AA==\n", "? [1]\n: 2\n", "a: [", "\xff: 1", "a: 1\n---\nb: 2\n", ""}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(yaml::parse(bad, "f.yaml"), Error);
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "[";
  CHECK_THROWS_AS(yaml::parse(deep, "f.yaml"), Error);
}

TEST_CASE("text behind a document ends the parser, and not in an endless row of empty documents") {
  for (const std::string bad : {"    - naien- naien0\n,v", "{}\n}", "- a\n,"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(yaml::parse_all(bad, "f.yaml"), Error);
  }
  CHECK(yaml::parse_all("---\n---\na: 1\n---\n...\n---\nb: 2\n", "f.yaml").size() == 2);
}

TEST_CASE("hundreds of thousands of keys take no quadratic time") {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += fmt::format("k{}: 1\n", i);
  const auto start = std::chrono::steady_clock::now();
  CHECK(yaml::parse(text, "f.yaml").if_object()->size() == 200'000);
  CHECK_THROWS_WITH(yaml::parse(text + "k7: 1\n", "f.yaml"), Catch::Contains("the key 'k7' is there twice"));
  CHECK_THROWS_WITH(yaml::parse(text + "k199999: 1\n", "f.yaml"), Catch::Contains("is there twice"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{30});
}

namespace {

std::string expanded(const std::string& text) {
  return capsule::json::compact(yaml::parse(text, "t", {.aliases = yaml::Aliases::expand}));
}

}  // namespace

TEST_CASE("anchors and aliases are expanded where that is asked for, as kubectl does") {
  CHECK(expanded("a: &x {b: [1, 2]}\nc: *x\nd: [*x, &s text, *s]\n") ==
        R"({"a":{"b":[1,2]},"c":{"b":[1,2]},"d":[{"b":[1,2]},"text","text"]})");
  CHECK(expanded("&k a: b\nc: {*k : v}") == R"({"a":"b","c":{"a":"v"}})");
  CHECK(expanded("a: &x 1\nb: &x 2\nc: *x\n") == R"({"a":1,"b":2,"c":2})");
  CHECK(expanded("x: &d {t: 1, u: 2}\na: {<<: *d, t: 3}\nb: {t: 3, <<: *d}\nc: {<<: [{t: 4, v: 5}, *d]}\n") ==
        R"({"x":{"t":1,"u":2},"a":{"u":2,"t":3},"b":{"t":1,"u":2},"c":{"t":4,"u":2,"v":5}})");
  CHECK(json_of("<<: {a: 1}") == R"({"<<":{"a":1}})");
}

TEST_CASE("anchors that mean nothing, or too much, are refused with line and column") {
  for (const auto& [text, reason] : {std::pair{"a: &x [*x]", "within what it stands for (line 1, column 8)"},
                                     {"a: *x", "line 1"},
                                     {"a: &x [1]\n? *x\n: 2", "a key must be a string (line 2"},
                                     {"<<: 1", "a merge key takes a map"},
                                     {"<<: [1]", "a merge key takes a map"},
                                     {"x: &d {t: 1}\na: {<<: *d, t: 2, t: 3}", "the key 't' is there twice (line 2"}}) {
    INFO(text);
    CHECK_THROWS_WITH(expanded(text), Catch::Contains(reason));
  }
  std::string bomb = "x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 9; ++i) {
    const auto before = "*x" + std::to_string(i - 1);
    bomb += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK_THROWS_WITH(expanded(bomb), Catch::Contains("hold more than is accepted"));
  const std::string large(600'000, 'x');
  CHECK_THROWS_WITH(expanded("a: &x " + large + "\nb: *x\n"), Catch::Contains("more than is accepted"));
  std::string deep = "x0: &x0 [1]\n";
  for (int i = 1; i < 70; ++i)
    deep += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [*x" + std::to_string(i - 1) + "]\n";
  CHECK_THROWS_WITH(expanded(deep), Catch::Contains("nested deeper than 64 levels"));
}
