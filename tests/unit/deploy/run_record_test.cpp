#include "deploy/run_record.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "empty_version.hpp"

using namespace capsule;

TEST_CASE("the record of a run is found by its run_id, where it is attached") {
  const test::EmptyVersion version;
  CHECK_FALSE(deploy::find_run_record(*version.store, version.index.digest, "0123456789abcdef"));
  const std::string first = R"({"run_id":"0123456789abcdef"})";
  const std::string second = R"({"run_id":"fedcba9876543210"})";
  deploy::attach_run_record(*version.store, version.index, first);
  deploy::attach_run_record(*version.store, version.index, second);
  CHECK(deploy::find_run_record(*version.store, version.index.digest, "0123456789abcdef") == first);
  CHECK(deploy::find_run_record(*version.store, version.index.digest, "fedcba9876543210") == second);
  CHECK_FALSE(deploy::find_run_record(*version.store, version.index.digest, "0000000000000000"));
  // What an object names as a run's record may be any blob.
  CHECK(deploy::is_run_record(*version.store, crypto::sha256(first), "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*version.store, crypto::sha256(second), "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*version.store, version.index.digest, "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*version.store, crypto::sha256("nowhere"), "0123456789abcdef"));
}
