#include "core/semver.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace capsule;

TEST_CASE("a version is semver 2.0 without build metadata") {
  for (const std::string good : {"0.1.0", "1.0.0-alpha.1", "1.0.0-0a", "10.20.30-x-y-z"}) {
    CAPTURE(good);
    CHECK(is_version(good));
  }
  for (const std::string bad : {"", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0+build", "1.0.0-", "1.0.0-a..b", "1.0.0-01",
                                "v1.0.0", "1.0.0 ", "1.0.x", "1.0.0-é"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_version(bad));
  }
  CHECK_FALSE(is_version("1.0.0-" + std::string(100, 'a')));
}

TEST_CASE("versions are ordered as semver 2.0 §11 says") {
  const std::vector<std::string> ascending{"0.9.10",     "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                           "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                                           "1.0.0",      "1.2.0",        "1.10.0",        "18446744073709551616.0.0"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t k = 0; k < ascending.size(); ++k) {
      CAPTURE(ascending[i], ascending[k]);
      const int order = compare_versions(ascending[i], ascending[k]);
      CHECK((i < k ? order < 0 : i > k ? order > 0 : order == 0));
    }
  }
}

TEST_CASE("a name is a DNS label in lower case") {
  CHECK(is_name("m2n2-metal"));
  CHECK(is_name("a"));
  CHECK(is_name(std::string(63, 'a')));
  for (const std::string bad : {"", "-a", "a-", "A", "a.b", "a_b", "a/b", "..", "a b", "ä"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_name(bad));
  }
  CHECK_FALSE(is_name(std::string(64, 'a')));
}
