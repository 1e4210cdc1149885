#include "taken.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "image/published_package.hpp"

namespace publish {

using namespace capsule;

Published settle_with(const oci::Descriptor& there, oci::Store& store, const attest::TrustPolicy& policy,
                      Published ours) {
  const auto conflict = [&](std::string_view reason) {
    return Error{ErrorKind::conflict,
                 fmt::format("{} {} is published already as {}, {}: a published version never changes; give the "
                             "capsule another version",
                             ours.name, ours.version, there.digest.text(), reason)};
  };
  try {
    const auto published = image::read_published(store, there.digest);
    if (published.capsule_digest != ours.capsule_digest) throw conflict("with another content");
    (void)image::verify_published(store, published, policy);
    ours.package_digest = published.package_digest;
    ours.index = there.digest;
    ours.package_manifest = published.package_manifest.digest;
    ours.image_manifest = published.image_manifest.digest;
    ours.already_published = true;
    return ours;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::conflict || retry_helps(error.kind())) throw;
    throw conflict(fmt::format("and is not to be trusted ({}): if it was damaged, publish the very package again",
                               error.message()));
  }
}

}  // namespace publish
