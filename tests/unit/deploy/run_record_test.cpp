#include "deploy/run_record.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "fs/temporary.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

using namespace capsule;

TEST_CASE("the record of a run is found by its run_id, where it is attached") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto store =
      oci::open_store(oci::RegistryLocation::parse("oci-layout:" + folder.path().string()), "x", oci::Create::yes);
  const auto index = store->put_manifest(
      oci::media_type::image_index,
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})", "1.0.0");
  CHECK_FALSE(deploy::find_run_record(*store, index.digest, "0123456789abcdef"));
  const std::string first = R"({"run_id":"0123456789abcdef"})";
  const std::string second = R"({"run_id":"fedcba9876543210"})";
  deploy::attach_run_record(*store, index, first);
  deploy::attach_run_record(*store, index, second);
  CHECK(deploy::find_run_record(*store, index.digest, "0123456789abcdef") == first);
  CHECK(deploy::find_run_record(*store, index.digest, "fedcba9876543210") == second);
  CHECK_FALSE(deploy::find_run_record(*store, index.digest, "0000000000000000"));
  // What an object names as a run's record may be any blob.
  CHECK(deploy::is_run_record(*store, crypto::sha256(first), "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*store, crypto::sha256(second), "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*store, index.digest, "0123456789abcdef"));
  CHECK_FALSE(deploy::is_run_record(*store, crypto::sha256("nowhere"), "0123456789abcdef"));
}
