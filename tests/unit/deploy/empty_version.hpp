#pragma once

#include <memory>

#include "fs/temporary.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

namespace capsule::test {

/// A registry in a folder, with a version index that lists nothing: what records are attached to.
struct EmptyVersion {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::unique_ptr<oci::Store> store =
      oci::open_store(oci::RegistryLocation::parse("oci-layout:" + folder.path().string()), "x", oci::Create::yes);
  oci::Descriptor index = store->put_manifest(
      oci::media_type::image_index,
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})", "1.0.0");
};

}  // namespace capsule::test
