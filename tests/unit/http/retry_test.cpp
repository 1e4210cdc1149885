#include "http/retry.hpp"

#include <catch2/catch.hpp>

#include "support/fake_http_client.hpp"
#include "support/fake_time.hpp"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

http::Request get(http::Method method = http::Method::get) {
  return {.method = method, .url = Url::parse("https://example.com/x")};
}

}  // namespace

TEST_CASE("what may pass by itself is tried again, what cannot is not") {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) {
    CAPTURE(status);
    test::FakeTime time;
    test::FakeHttpClient fake;
    fake.answer(status);
    fake.answer(200, "good");
    http::RetryingClient client{fake, {}, time.timer()};
    CHECK(client.send(get()).body == "good");
    CHECK(time.slept.size() == 1);
  }
  for (const int status : {200, 204, 301, 400, 401, 403, 404, 409, 416, 422, 501, 505}) {
    CAPTURE(status);
    test::FakeTime time;
    test::FakeHttpClient fake;
    fake.answer(status);
    http::RetryingClient client{fake, {}, time.timer()};
    CHECK(client.send(get()).status == status);
    CHECK(time.slept.empty());
  }
}

TEST_CASE("Retry-After is the floor of the wait, and the total limit ends it") {
  test::FakeTime time;
  test::FakeHttpClient fake;
  fake.answer(429, "", {{"Retry-After", "7"}});
  fake.answer(503, "", {{"Retry-After", "60"}});
  http::RetryingClient client{fake, {}, time.timer()};
  CHECK(client.send(get()).status == 503);
  REQUIRE(time.slept.size() == 1);
  CHECK(time.slept.front() == 7s);
}

TEST_CASE("the tries end after five, with the last answer or error") {
  test::FakeTime time;
  test::FakeHttpClient fake;
  for (int i = 0; i < 5; ++i) fake.answer(500);
  http::RetryingClient client{fake, {}, time.timer()};
  CHECK(client.send(get()).status == 500);
  CHECK(fake.seen().size() == 5);

  test::FakeHttpClient dead;
  for (int i = 0; i < 5; ++i) {
    dead.fail(http::TransportError{ErrorKind::unavailable, "reset", http::TransportError::Sent::maybe});
  }
  http::RetryingClient again{dead, {}, time.timer()};
  CHECK_THROWS_AS(again.send(get()), http::TransportError);
  CHECK(dead.seen().size() == 5);
}

TEST_CASE("a POST that may have been done is not sent twice") {
  using Sent = http::TransportError::Sent;
  test::FakeTime time;
  test::FakeHttpClient fake;
  fake.fail(http::TransportError{ErrorKind::timed_out, "no answer", Sent::maybe});
  http::RetryingClient client{fake, {}, time.timer()};
  CHECK_THROWS_AS(client.send(get(http::Method::post)), http::TransportError);
  CHECK(fake.seen().size() == 1);

  test::FakeHttpClient refused;
  refused.fail(http::TransportError{ErrorKind::unavailable, "refused", Sent::no});
  refused.answer(429);
  refused.answer(200);
  http::RetryingClient other{refused, {}, time.timer()};
  CHECK(other.send(get(http::Method::post)).status == 200);

  test::FakeHttpClient broken;
  broken.answer(500);
  http::RetryingClient third{broken, {}, time.timer()};
  CHECK(third.send(get(http::Method::post)).status == 500);
}

TEST_CASE("Retry-After in seconds or as a date") {
  const auto now = parse_time("1994-11-06T08:49:00Z");
  const auto read = [&](const char* text) { return http::retry_after({{"Retry-After", text}}, now); };
  CHECK(read("0") == 0ms);
  CHECK(read("120") == 120s);
  CHECK(read("Sun, 06 Nov 1994 08:49:37 GMT") == 37s);
  CHECK(read("Sun, 06 Nov 1994 08:48:00 GMT") == 0ms);
  CHECK(read("4000000") == 24h);
  for (const char* bad : {"-1", "soon", "1.5", "99999999999999999999", "Sun, 06 Foo 1994 08:49:37 GMT",
                          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT x"}) {
    CAPTURE(bad);
    CHECK_FALSE(read(bad));
  }
  CHECK_FALSE(http::retry_after({}, now));
}

TEST_CASE("a status has the exit code of its kind") {
  const auto kind_of = [](int status) {
    try {
      http::expect_success({status, {}, "no\nsecond line", Url::parse("https://h/p?token=s3cret")}, "asking");
    } catch (const Error& error) {
      CHECK(error.message().find("s3cret") == std::string::npos);
      CHECK(error.message().find("second line") == std::string::npos);
      return exit_code(error.kind());
    }
    return 0;
  };
  const std::vector<std::pair<int, int>> table{{200, 0},  {206, 0},  {299, 0},  {304, 10}, {400, 10}, {401, 13},
                                               {403, 13}, {404, 12}, {407, 13}, {408, 40}, {409, 14}, {410, 12},
                                               {412, 14}, {416, 10}, {422, 10}, {425, 40}, {429, 40}, {500, 40},
                                               {501, 10}, {502, 40}, {503, 40}, {504, 40}, {505, 10}, {599, 40}};
  for (const auto& [status, code] : table) {
    CAPTURE(status);
    CHECK(kind_of(status) == code);
  }
}
