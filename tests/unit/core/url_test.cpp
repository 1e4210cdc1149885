#include "core/url.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using capsule::Error;
using capsule::Url;

TEST_CASE("a URL has one canonical form") {
  CHECK(Url::parse("HTTPS://Example.COM:443/a?b=c").text() == "https://example.com/a?b=c");
  CHECK(Url::parse("http://127.0.0.1:5000").text() == "http://127.0.0.1:5000/");
  CHECK(Url::parse("http://[::1]:80/x").text() == "http://[::1]/x");
  CHECK(Url::parse("http://[2001:DB8:0:0:0:0:0:0a]:81/x").text() == "http://[2001:db8::a]:81/x");
  CHECK(Url::parse("https://h/p?secret=1").loggable() == "https://h/p");
}

TEST_CASE("what could be read in two ways is refused") {
  for (const std::string bad : {"ftp://h/", "h/x", "https://user:pw@h/", "https://h/#f", "https://h/../x",
                                "https://h/%2e%2e/x", "https://h/a%2Fb", "https://h\\x", "https://h x/", "https:///x",
                                "https://h:0/", "https://h:99999/", "https://h:8x/", "https://[::1/", "https://[:::]/",
                                "https://[fe80::1%eth0]/", "https://[1.2.3.4]/", "https://a..b/"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Url::parse(bad), Error);
  }
}

TEST_CASE("a refused URL is printed without its credentials") {
  try {
    Url::parse("https://user:hunter2@host/");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("what may be credentials is not shown of a place that was refused") {
  const std::pair<std::string, std::string> rows[] = {
      {"https://bob:hunter2@host/x", "https://…@host/x"},
      {"oci://bob:hunter2@host/a:1@sha256:00", "oci://…@host/a:1@sha256:00"},
      {"oci://bob:hun@ter2@host/a", "oci://…@host/a"},
      {"bob:hunter2@host/a", "…@host/a"},
      {"oci://u:hunter2@sha256:5000", "oci://…@sha256:5000"},
      {"oci://u:hunter2@sha256/a:1@sha256:00", "oci://…@sha256/a:1@sha256:00"},
      {"oci://u:hunter2@sha256:5000/a", "oci://…@sha256:5000/a"},
      {"oci://host/a:1@sha256:00", "oci://host/a:1@sha256:00"},
      {"capsule://m2@sha256:00", "capsule://m2@sha256:00"},
      {"oci://host/a", "oci://host/a"},
  };
  for (const auto& [given, expected] : rows) CHECK(capsule::without_userinfo(given) == expected);
}

TEST_CASE("loopback is an address, not a prefix") {
  CHECK(Url::parse("http://127.8.0.1/").is_loopback());
  CHECK(Url::parse("http://localhost/").is_loopback());
  CHECK(Url::parse("http://[::1]/").is_loopback());
  CHECK(Url::parse("http://[0:0:0:0:0:0:0:1]/").is_loopback());
  CHECK_FALSE(Url::parse("http://127.example.com/").is_loopback());
  CHECK_FALSE(Url::parse("http://localhost.example.com/").is_loopback());
}

TEST_CASE("a Location is resolved against the request") {
  const auto base = Url::parse("https://h:8443/a/b?q=1");
  CHECK(base.resolve("/x").text() == "https://h:8443/x");
  CHECK(base.resolve("c").text() == "https://h:8443/a/c");
  CHECK(base.resolve("?r=2").text() == "https://h:8443/a/b?r=2");
  CHECK(base.resolve("http://other/").host() == "other");
  CHECK_FALSE(base.same_origin(base.resolve("http://h:8443/")));
}
