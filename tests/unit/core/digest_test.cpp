#include "core/digest.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using capsule::Digest;

namespace {
const std::string some_hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
}

TEST_CASE("a digest is sha256 or sha512 in lower case, nothing else") {
  CHECK(Digest::parse("sha256:" + some_hex).hex() == some_hex);
  CHECK(Digest::parse("sha512:" + some_hex + some_hex).algorithm() == "sha512");
  for (const std::string bad : {"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha256:", "sha256:E3B0", "md5:00"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Digest::parse(bad), capsule::Error);
  }
  CHECK_THROWS_AS(Digest::parse("sha256:" + some_hex + "0"), capsule::Error);
  CHECK_THROWS_AS(Digest::parse("sha256:E" + some_hex.substr(1)), capsule::Error);
}
