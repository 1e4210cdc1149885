#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "serve/message.hpp"
#include "serve/rate_limit.hpp"
#include "serve/server.hpp"

using namespace capsule;
using namespace std::chrono_literals;

TEST_CASE("a target is decoded, or refused") {
  const auto good = serve::parse_target("/a%20b/c?x=1&y=%26+z&flag&&e=");
  REQUIRE(good);
  CHECK(good->path == "/a b/c");
  CHECK(good->query == std::map<std::string, std::string>{{"x", "1"}, {"y", "& z"}, {"flag", ""}, {"e", ""}});
  CHECK(serve::parse_target("/a+b")->path == "/a+b");
  for (const char* bad : {"", "a", "*", "http://h/", "/%", "/%1", "/%zz", "/%00", "/a%2fb", "/a%2Fb", "/a b", "/\x7f",
                          "/\xc3\xa4", "/a\n", "/?a=1&a=2", "/?a=%0", "/?%00=1"}) {
    CAPTURE(bad);
    CHECK_FALSE(serve::parse_target(bad));
  }
  std::string many = "/?";
  for (int i = 0; i < 65; ++i) many += "k" + std::to_string(i) + "=v&";
  CHECK_FALSE(serve::parse_target(many));
}

TEST_CASE("a client that floods is told when to come again, others are not touched") {
  serve::RateLimit limit{{10, 3}};
  const serve::RateLimit::Clock::time_point start{};
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.refuse("a", start));
  CHECK(limit.refuse("a", start) == 100ms);
  CHECK_FALSE(limit.refuse("b", start));
  CHECK(limit.refuse("a", start + 50ms) == 50ms);
  CHECK_FALSE(limit.refuse("a", start + 100ms));
  CHECK(limit.refuse("a", start + 100ms));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.refuse("a", start + 1h));
  CHECK(limit.refuse("a", start + 1h));
}

TEST_CASE("new clients do not free one that floods") {
  serve::RateLimit limit{{1, 1}};
  const serve::RateLimit::Clock::time_point start{};
  CHECK_FALSE(limit.refuse("flood", start));
  for (int i = 0; i < 3000; ++i) {
    static_cast<void>(limit.refuse("client " + std::to_string(i), start + std::chrono::milliseconds{i % 2}));
    if (i % 100 == 0) CHECK(limit.refuse("flood", start));
  }
}

TEST_CASE("where to listen") {
  const auto v4 = serve::Listen::parse("127.0.0.1:8080");
  CHECK(v4.address == "127.0.0.1");
  CHECK(v4.port == 8080);
  CHECK(serve::Listen::parse("[::1]:0").address == "::1");
  for (const char* bad : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "localhost:80",
                          "127.0.0.1:80 ", ":80"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(serve::Listen::parse(bad), Error);
  }
}
