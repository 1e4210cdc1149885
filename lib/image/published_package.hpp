#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capsule/verified_capsule.hpp"
#include "oci/reference.hpp"
#include "oci/store.hpp"

namespace capsule::image {

/// A version as a registry shows it. What it says about the package is a claim until the package has been verified and
/// check_same() has held one against the other.
struct PublishedPackage {
  oci::Descriptor index;  ///< the version index: what references and referrers name
  oci::Descriptor package_manifest;
  oci::Descriptor image_manifest;
  std::string name;
  std::string version;
  Digest capsule_digest;
  Digest package_digest;
  std::vector<oci::Descriptor> layers;  ///< of the package, in order
  std::uint64_t size = 0;               ///< of the package, bytes
};

/// The version index that a reference names: by its digest, else by its tag. A reference with both must name one.
/// Errors not_found, usage (neither), verification_failed.
oci::Descriptor find_index(oci::Store& store, const oci::Reference& reference);

/// Errors not_found, invalid_input (this is no capsule), verification_failed.
PublishedPackage read_published(oci::Store& store, const Digest& index);

/// The version that a version index names itself, a claim like the rest: reads that one document. Errors as above.
std::string published_version(oci::Store& store, const Digest& index);

/// The same by reference. What is found must call itself by the name and, where the tag is a version, by the version
/// that were asked for: tags and folders are not signed. Error verification_failed.
PublishedPackage read_published(oci::Store& store, const oci::Reference& reference);

/// The package, layer after layer, from byte `offset` on; the next layer is on its way while one is read. `store` must
/// outlive it. Each layer is held against its size alone: whoever reads it holds all of it against the package digest,
/// as check_same() does.
std::unique_ptr<Source> open_package(oci::Store& store, const PublishedPackage& published, std::uint64_t offset = 0);

/// Error verification_failed unless the verified capsule is the one that the registry claims.
void check_same(const PublishedPackage& published, const VerifiedCapsule& capsule);

/// Whether the bytes of a version index say of themselves that they are of this package: its name, version, capsule and
/// package digest. Errors invalid_input.
bool is_index_of(std::string_view index, const ReadPackage& package);

}  // namespace capsule::image
