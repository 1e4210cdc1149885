#include "step/values.hpp"

#include <catch2/catch.hpp>

using namespace capsule::step;
using namespace std::chrono_literals;

namespace {
std::string refusal(const CLI::Validator& validator, std::string text) {
  return validator(text);
}
}  // namespace

TEST_CASE("a whole number is decimal digits, and nothing that other bases or exponents make of it") {
  for (const std::string good : {"0", "1", "10", "9007199254740991"}) {
    CAPTURE(good);
    CHECK(refusal(whole_number(0, 9007199254740991), good).empty());
  }
  for (const std::string bad : {"", "010", "0x10", "0b1", "00", "1e3", "1.0", "+1", "-1", " 1", "1 ", "1'0", "1_0",
                                "9007199254740992", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(refusal(whole_number(0, 9007199254740991), bad).empty());
  }
  CHECK(refusal(whole_number(0, 7), "1e3") == "'1e3' is no whole number (decimal digits), 0 to 7");
  CHECK_FALSE(refusal(whole_number(1, 7), "0").empty());
}

TEST_CASE("a decimal number is digits with at most one point") {
  for (const std::string good : {"0", "15", "0.5", "12.25", "1000000", "007.5"}) {
    CAPTURE(good);
    CHECK(refusal(decimal_number(0, 1e6), good).empty() == (good != "007.5"));
  }
  for (const std::string bad : {"", "0x1p3", "1e3", "nan", "inf", "-1", "+1", ".5", "5.", "1.2.3", "1000001", "1,5"}) {
    CAPTURE(bad);
    CHECK_FALSE(refusal(decimal_number(0, 1e6), bad).empty());
  }
}

TEST_CASE("a duration is from 1ms to a year") {
  for (const std::string good : {"1ms", "90", "1h30m", "8760h"}) {
    CAPTURE(good);
    CHECK(refusal(duration(), good).empty());
  }
  for (const std::string bad :
       {"", "0", "0s", "0.0001ms", "-1", "soon", "8761h", "99999999999999999999h", "inf", "nan"}) {
    CAPTURE(bad);
    CHECK_FALSE(refusal(duration(), bad).empty());
  }
}

TEST_CASE("a duration is kept as what it is, and shown as it may be typed") {
  std::chrono::milliseconds time = 90min + 5ms;
  CLI::App app;
  add_duration(app, "--time", time, "how long")->capture_default_str();
  CHECK(app.get_option("--time")->get_default_str() == "1h30m5ms");
  app.parse("--time 2m", false);
  CHECK(time == 2min);
  CHECK_THROWS_WITH(app.parse("--time soon", false), "--time: not a duration such as 90s, 5m or 1h30m: 'soon'");
  CHECK(time == 2min);
}

TEST_CASE("a choice is kept as what its word means") {
  enum class Way { there, back };
  constexpr Choices<Way, 2> ways{{{"there", Way::there}, {"back", Way::back}}};
  Way way = Way::back;
  CLI::App app;
  add_choice(app, "--way", way, ways, "which way")->capture_default_str();
  CHECK(app.get_option("--way")->get_default_str() == "back");
  app.parse("--way there", false);
  CHECK(way == Way::there);
  CHECK_THROWS_WITH(app.parse("--way back,there", false), "--way: back,there not in {there,back}");
  CHECK(word_for(ways, Way::back) == "back");
}
