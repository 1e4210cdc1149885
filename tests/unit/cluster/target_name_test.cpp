#include "cluster/target_name.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;

TEST_CASE("a name that is too long for a cluster is refused in one sentence") {
  CHECK_NOTHROW(cluster::require_short_name(std::string(56, 'y')));
  try {
    cluster::require_short_name(std::string(57, 'y'));
    FAIL("an error is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    CHECK_THAT(error.message(), Catch::Contains("at most 56 characters") && Catch::EndsWith("has 57"));
  }
}
