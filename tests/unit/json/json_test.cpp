#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

using capsule::Error;
using namespace capsule::json;

namespace {
std::string refusal(std::string_view text) {
  try {
    parse(text, "doc");
    return "accepted";
  } catch (const Error& error) {
    return error.message();
  }
}
}  // namespace

TEST_CASE("JSON is read strictly, and the fault is named by its pointer") {
  CHECK(refusal(R"({"a":{"b":1,"b":2}})") == "doc: the key is there twice (at /a/b)");
  CHECK(refusal(R"({"a":[1,{"x~/y":NaN}]})").find("/a/1/x~0~1y") != std::string::npos);
  for (const std::string bad : {"", "{", "[1,]", "{\"a\":1}x", "nul", "[Infinity]", "// c\n1", "[01]", "[1.]",
                                "\"\\ud800\"", "\"\xff\"", "'a'", "\xef\xbb\xbf{}", "[\"\x01\"]"}) {
    CAPTURE(bad);
    CHECK(refusal(bad) != "accepted");
  }
  CHECK(refusal(std::string(33, '[') + std::string(33, ']')).find("deeper than 32") != std::string::npos);
  CHECK(refusal(std::string(5 << 20, ' ')).find("larger than the limit") != std::string::npos);
}

TEST_CASE("a number keeps its text") {
  const auto value = parse(R"({"price":5.00,"big":123456789012345678901234567890,"n":-0})", "doc");
  CHECK(compact(value).find("5.00") != std::string::npos);
  CHECK(compact(value).find("123456789012345678901234567890") != std::string::npos);
  CHECK_THROWS_AS(parse("1e999", "doc").if_number() ? to_double(*parse("1e999", "doc").if_number()) : 0.0, Error);
}

TEST_CASE("a NUL byte is no end of a text") {
  using namespace std::string_literals;
  for (const auto& bad : {"{}\0"s, "{}\0{}"s, "\0"s, "{\"a\0\":1}"s}) CHECK(refusal(bad) != "accepted");
}

TEST_CASE("an integer that canonical form would change is refused with its place") {
  const auto place = [](const std::string& text) -> std::string {
    const auto value = parse(text, "doc");
    try {
      (void)canonical(value);
      Cursor{value, "doc"}.require_exact_integers();
      return "";
    } catch (const Error& error) {
      const auto& message = error.message();
      return message.substr(message.rfind("(at "));
    }
  };
  for (const std::string kept : {"9007199254740991", "-9007199254740991", "9007199254740992", "9007199254740994", "-0",
                                 "100000000000000000000000000", "123456789012345680000", "0.1", "9007199254740993.5"}) {
    CAPTURE(kept);
    CHECK(place("[" + kept + "]").empty());
  }
  for (const auto& changed :
       std::vector<std::string>{"9007199254740993", "-9007199254740993", "18446744073709551616", "9223372036854775807",
                                "123456789012345678901234567890", "1" + std::string(300, '7')}) {
    CAPTURE(changed);
    CHECK(place(changed) == "(at the top)");
    CHECK(place(R"({"a/b":[0,{"c":)" + changed + "}]}") == "(at /a~1b/1/c)");
  }
}

TEST_CASE("canonical form follows RFC 8785") {
  // RFC 8785 §3.2.2 (numbers, strings) and §3.2.3 (order by UTF-16 code units)
  const auto value = parse(
      R"({"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]})",
      "doc");
  CHECK(canonical(value) ==
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$"
        "\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
  CHECK(canonical(parse(R"({"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"1":4})", "doc")) ==
        "{\"1\":4,\"€\":3,\"😀\":2,\"\xef\xac\xb3\":1}");
  CHECK(canonical(Value{-0.0}) == "0");
  CHECK(canonical(Value{1e21}) == "1e+21");
  CHECK(canonical(Value{123456789012345680000.0}) == "123456789012345680000");
  CHECK(compact(Value{9007199254740994.0}) == "9.007199254740994e+15");
  CHECK(canonical(Value{9007199254740994.0}) == "9007199254740994");
  CHECK(canonical(Value{5e-324}) == "5e-324");
  CHECK(canonical(Value{1e-6}) == "0.000001");
  CHECK(canonical(Value{1e-7}) == "1e-7");
}

TEST_CASE("a cursor reads strictly and names the place") {
  const auto value = parse(R"({"name":"x","list":[1,2.5],"extra":true})", "doc");
  const Cursor top{value, "doc"};
  CHECK(top.at("name").string() == "x");
  CHECK_FALSE(top.optional("nothing").has_value());
  CHECK_THROWS_WITH(top.at("nothing"), "doc: the field 'nothing' is missing (at the top)");
  CHECK_THROWS_WITH(top.at("name").number(), "doc: a number is wanted, this is a string (at /name)");
  CHECK_THROWS_WITH(top.at("list").elements().at(1).int64(), Catch::Contains("(at /list/1)"));
  CHECK_THROWS_WITH(top.allow_only({"name", "list"}), "doc: unknown field (at /extra)");
}

TEST_CASE("a pointer finds what it names") {
  const auto value = parse(R"({"a/b":[10,{"~":20}]})", "doc");
  CHECK(value.at_pointer("") == &value);
  CHECK(compact(*value.at_pointer("/a~1b/1/~0")) == "20");
  CHECK(value.at_pointer("/a~1b/2") == nullptr);
  CHECK(value.at_pointer("/a~1b/01") == nullptr);
  CHECK(value.at_pointer("x") == nullptr);
}

TEST_CASE("hundreds of thousands of keys take no quadratic time") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += fmt::format(R"("k{}":1,)", i);
  const auto start = std::chrono::steady_clock::now();
  CHECK(parse(text + R"("x":1})", "f.json").if_object()->size() == 200'001);
  CHECK_THROWS_WITH(parse(text + R"("k7":1})", "f.json"), Catch::Contains("is there twice"));
  CHECK_THROWS_WITH(parse(text + R"("k199999":1})", "f.json"), Catch::Contains("is there twice"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{30});
}
