#include "ranges.hpp"
#include "http/content_range.hpp"

#include <catch2/catch.hpp>

using namespace capsule;
using namespace download;

TEST_CASE("Content-Range is read strictly") {
  const auto good = http::parse_content_range("bytes 5-9/10");
  REQUIRE(good);
  CHECK(good->first == 5);
  CHECK(good->total == 10);
  CHECK(http::parse_content_range("bytes 5-9/*")->total == std::nullopt);
  const auto refused = http::parse_content_range("bytes */10");
  REQUIRE(refused);
  CHECK_FALSE(refused->first);
  CHECK(refused->total == 10);
  for (const char* bad : {"", "bytes", "bytes ", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes -5/10",
                          "bytes 5-/10", "bytes */*", "octets 5-9/10", "bytes 5-9/10 ", "bytes 5-9/x", "bytes +5-9/10",
                          "bytes 5-18446744073709551616/*", "bytes=5-9/10"}) {
    CAPTURE(bad);
    CHECK_FALSE(http::parse_content_range(bad));
  }
}

TEST_CASE("what may stand in If-Range") {
  CHECK(Validators{"\"a\"", "date", {}}.for_range() == "\"a\"");
  CHECK(Validators{"W/\"a\"", "date", {}}.for_range().empty());  // it says that the bytes may differ
  CHECK(Validators{"", "date", {}}.for_range() == "date");
  CHECK(Validators{}.for_range().empty());
}

TEST_CASE("the size of a resource comes from where it stands") {
  CHECK(validators_of({200, {{"Content-Length", "7"}, {"ETag", "\"a\""}}}).size == 7);
  CHECK(validators_of({206, {{"Content-Length", "2"}, {"Content-Range", "bytes 5-6/7"}}}).size == 7);
  CHECK_FALSE(validators_of({206, {{"Content-Length", "2"}, {"Content-Range", "bytes 5-6/*"}}}).size);
  CHECK_FALSE(validators_of({200, {{"Content-Length", "-7"}}}).size);
  CHECK_FALSE(validators_of({200, {}}).size);
}

TEST_CASE("what an answer to a request for the rest means") {
  const Validators known{"\"a\"", "date", 10};
  const auto verdict = [&](int status, http::Headers headers) { return judge({status, std::move(headers)}, 5, known); };
  CHECK(verdict(200, {}) == Verdict::whole);
  CHECK(verdict(206, {{"Content-Range", "bytes 5-9/10"}}) == Verdict::append);
  CHECK(verdict(206, {{"Content-Range", "bytes 5-9/10"}, {"ETag", "\"a\""}}) == Verdict::append);
  CHECK(verdict(206, {{"Content-Range", "bytes 5-9/*"}}) == Verdict::append);
  CHECK(verdict(206, {{"Content-Range", "bytes 5-9/10"}, {"ETag", "\"b\""}}) == Verdict::start_over);
  CHECK(verdict(206, {{"Content-Range", "bytes 4-9/10"}}) == Verdict::start_over);
  CHECK(verdict(206, {{"Content-Range", "bytes 5-10/11"}}) == Verdict::start_over);
  CHECK(verdict(206, {{"Content-Range", "bytes */10"}}) == Verdict::start_over);
  CHECK(verdict(206, {}) == Verdict::start_over);
  CHECK(verdict(206, {{"Content-Range", "nonsense"}}) == Verdict::start_over);
  CHECK(verdict(416, {{"Content-Range", "bytes */5"}}) == Verdict::start_over);  // the resource was longer before
  CHECK(verdict(416, {}) == Verdict::start_over);
  const Validators without_size{"", "date", {}};
  CHECK(judge({416, {{"Content-Range", "bytes */5"}}}, 5, without_size) == Verdict::complete);
  CHECK(judge({206, {{"Content-Range", "bytes 5-9/10"}, {"Last-Modified", "later"}}}, 5, without_size) ==
        Verdict::start_over);
}
