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
