#include <catch2/catch.hpp>

#include "core/backoff.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"

using namespace capsule;
using namespace std::chrono_literals;

TEST_CASE("base64 is read strictly") {
  CHECK(to_base64(as_bytes("")).empty());
  CHECK(to_base64(as_bytes("f")) == "Zg==");
  CHECK(to_base64(as_bytes("fo")) == "Zm8=");
  CHECK(to_base64(as_bytes("foo")) == "Zm9v");
  CHECK(as_text(from_base64("Zm9vYg==")) == "foob");
  for (const std::string bad : {"Z", "Zg=", "Zh==", "Zg==Zg==", "Zm9=v", "Zm9v\n", "Zm-v", "===="}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(from_base64(bad), Error);
  }
}

TEST_CASE("hexadecimal text is lower case and even") {
  CHECK(to_hex(from_hex("00ff10")) == "00ff10");
  CHECK_THROWS_AS(from_hex("0"), Error);
  CHECK_THROWS_AS(from_hex("FF"), Error);
}

TEST_CASE("times are RFC 3339 and survive a round trip") {
  const auto time = parse_time("2026-11-24T08:45:00.123Z");
  CHECK(format_time(time) == "2026-11-24T08:45:00.123Z");
  CHECK(parse_time("2026-11-24T10:45:00.123456+02:00") == time);
  for (const std::string bad : {"", "2026-11-24", "2026-02-30T00:00:00Z", "2026-11-24T25:00:00Z", "2026-11-24T08:45:00",
                                "2026-11-24T08:45:00Zx", "-026-11-24T08:45:00Z"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_time(bad), Error);
  }
}

TEST_CASE("durations are written as Go and Argo write them") {
  CHECK(parse_duration("90") == 90s);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1.5s") == 1500ms);
  for (const std::string bad : {"", "s", "-1s", "1x", "1s2", "nan", "inf"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_duration(bad), Error);
  }
}

TEST_CASE("well-formed UTF-8 only") {
  CHECK(utf8::is_valid("aäß€𝄞"));
  for (const std::string bad :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    CHECK_FALSE(utf8::is_valid(bad));
  }
}

TEST_CASE("a message is fit for one line of a terminal") {
  CHECK(printable("a\nb\x1b[31m") == "a\\x0ab\\x1b[31m");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("a\xc2\x9b"
                  "31m") == "a\\xc2\\x9b31m");
  CHECK(printable("\xe2\x80\xae"
                  "txt") == "\\xe2\\x80\\xaetxt");
  CHECK(printable("é…") == "é…");
  CHECK(printable(std::string(300, 'x')).size() < 210);
}

TEST_CASE("each kind of error has its exit code, and retries help from 40 on") {
  CHECK(exit_code(ErrorKind::usage) == 2);
  CHECK(exit_code(ErrorKind::invalid_input) == 10);
  CHECK(exit_code(ErrorKind::verification_failed) == 11);
  CHECK(exit_code(ErrorKind::capsule_failed) == 16);
  CHECK(exit_code(ErrorKind::busy) == 42);
  CHECK(retry_helps(ErrorKind::timed_out));
  CHECK_FALSE(retry_helps(ErrorKind::conflict));
  CHECK(Error{ErrorKind::usage, "x"}.within("while reading").message() == "while reading: x");
}

TEST_CASE("what was typed is a fault of the call, but a file that is not there stays one") {
  const auto kind = [](ErrorKind thrown) {
    try {
      as_usage("--key", [&]() -> int { throw Error{thrown, "words"}; });
    } catch (const Error& error) {
      CHECK(error.message() == "--key: words");
      return error.kind();
    }
    return ErrorKind::busy;
  };
  CHECK(kind(ErrorKind::invalid_input) == ErrorKind::usage);
  CHECK(kind(ErrorKind::not_found) == ErrorKind::not_found);
  CHECK(kind(ErrorKind::denied) == ErrorKind::denied);
  CHECK(as_usage("", [] { return 7; }) == 7);
}

TEST_CASE("back-off doubles, is capped, has jitter, and obeys the server") {
  const BackoffPolicy policy{4, 100ms, 300ms};
  CHECK(next_delay(policy, 1, 0.0) == 50ms);
  CHECK(next_delay(policy, 1, 0.999) >= 99ms);
  CHECK(next_delay(policy, 2, 0.0) == 100ms);
  CHECK(next_delay(policy, 3, 0.0) == 150ms);
  CHECK_FALSE(next_delay(policy, 4, 0.0).has_value());
  CHECK(next_delay(policy, 1, 0.0, 5s) == 5s);
}
